"""`seal ask`: a question about one picture, about each of a folder, or the questions of a file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from seal.commands.items import Item, checked, is_many, read_items
from seal.commands.model_options import add_models
from seal.commands.progress import Progress
from seal.commands.query import add_output, check_output, load, run_many, told_failures
from seal.commands.results import answer_lines, save_searches, search_facts
from seal.inference.answers.showing import read_granularity
from seal.search.strategies import STRATEGIES

if TYPE_CHECKING:
    from seal.pipeline import Answer, Question

DESCRIPTION = """\
IMAGE is a picture, a folder of pictures that are all asked the same, or a .jsonl file with a
question a line, pictures from its folder on:
  {"image": "photos/1.jpg", "question": "What color is the mug?", "options": ["red", "blue"]}
  {"image": "photos/2.jpg", "question": "Is the sign lit?", "targets": ["the sign"], "id": "k2"}
Of many, each answer is a line of JSON, on stdout or in --out, which the same command continues.
A picture that cannot be read is the error of its line; the exit code is 1 then."""


def add_ask(commands: Any) -> None:
    parser = commands.add_parser(
        "ask",
        help="answer a question about an image, searching if need be",
        description=DESCRIPTION,
    )
    parser.add_argument("image", metavar="IMAGE", help="a picture, a folder, or a .jsonl file")
    parser.add_argument("question", metavar="QUESTION", nargs="?", help="(of a file: in its lines)")
    parser.add_argument(
        "--option", action="append", dest="options", metavar="TEXT",
        help="a possible answer (repeat); the likeliest is chosen",
    )  # fmt: skip
    parser.add_argument(
        "--target", action="append", dest="targets", metavar="TEXT",
        help="a thing to search for whatever the model says it lacks (repeat)",
    )  # fmt: skip
    add_models(parser)
    add_output(parser)
    parser.set_defaults(run=ask, misused=parser.error)


def ask(arguments: argparse.Namespace) -> int:
    """Print the answer, what was looked for, and where it was found."""
    many = is_many(arguments.image)
    check_output(arguments, many=many)
    read_granularity(arguments.granularity)
    options, targets = tuple(arguments.options or ()), tuple(arguments.targets or ()) or None
    if many:
        items = read_items(
            arguments.image, arguments.question, key="question", options=options, targets=targets
        )
    elif arguments.question is None:
        arguments.misused("of one picture, QUESTION is required: what to ask")
    else:
        items = [
            Item(
                id="", image=arguments.image, path=arguments.image, text=arguments.question,
                options=options, targets=targets,
            )
        ]  # fmt: skip
    # Wrong ones end here, before a model is loaded.
    checked(items, lambda item: _refuse_marks(_question(item), arguments.vqa))
    _check_search(arguments, items)
    if many:
        lines = run_many(
            arguments,
            items,
            lambda queue, item: queue.submit(_question(item)),
            lambda item, answer: _line(arguments, item, answer),
        )
        return told_failures(lines)
    return _ask_one(arguments, items[0])


def _ask_one(arguments: argparse.Namespace, item: Item) -> int:
    from seal.pipeline.pictures import picture

    image = picture(arguments.image)
    with Progress(quiet=arguments.quiet) as progress:
        seal = load(arguments, progress)
        progress.say("looking at the whole image")
        answer = seal.ask(image, item.text, item.options, item.targets, on_event=progress.on_event)
        for note in answer.notes:
            progress.tell(f"note: {note}")
    saved = save_searches(arguments.save_path, image, _stem(item), answer.searches)
    if arguments.json:
        print(json.dumps(answer.to_dict() | {"saved": saved}, indent=1))
        return 0
    print("\n".join(answer_lines(answer)))
    if saved:
        print("written: " + ", ".join(saved))
    return 0


def _line(arguments: argparse.Namespace, item: Item, answer: Answer) -> Mapping[str, Any]:
    """What stands in a line besides the question."""
    answer.require()
    line: dict[str, Any] = {"text": answer.text}
    if item.options:
        line["option"] = answer.option
    if answer.probabilities:
        line["probabilities"] = answer.probabilities
    line |= {
        "missing": answer.missing,
        "not_found": answer.not_found,
        "searches": [search_facts(result) for result in answer.searches],
        **({"notes": answer.notes} if answer.notes else {}),
    }
    if arguments.save_path is not None and answer.searches and item.path is not None:
        from seal.pipeline.pictures import picture

        shown = picture(item.path)
        line["saved"] = save_searches(arguments.save_path, shown, _stem(item), answer.searches)
    if arguments.json:
        line["answer"] = answer.to_dict()
    return line


def _stem(item: Item) -> str:
    from pathlib import Path

    return Path(item.image or "picture").stem


def _question(item: Item) -> Question:
    from seal.pipeline import Question

    return Question(item.path, item.text, item.options, item.targets)


def _check_search(arguments: argparse.Namespace, items: list[Item]) -> None:
    """What is to be searched for, and whether anything is."""
    targets = any(item.targets for item in items)
    if targets and arguments.search == "none":
        raise ValueError("--target says what to search for and --search none never does: drop one")
    if arguments.planner == "given" and arguments.search in STRATEGIES and not targets:
        raise ValueError(
            "--planner given searches for what --target names: give --target, or drop --planner"
        )


def _refuse_marks(question: Question, vqa: str | None) -> None:
    """What only a model of the hub reads as letters."""
    try:
        question.refuse_marks()
    except ValueError:
        from seal.inference.model_kinds import model_kind

        if vqa is None or model_kind(vqa) != "hf":
            raise
