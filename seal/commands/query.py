"""`seal ask` and `seal locate`: one image on the command line."""

from __future__ import annotations

import argparse
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seal.commands.model_options import add_models, open_seal
from seal.files.whole import write_whole
from seal.inference.answers.showing import read_granularity
from seal.search.strategies import EVERY, STRATEGIES

if TYPE_CHECKING:
    from seal.pipeline import Answer, Question, Seal

NOT_FOUND = 3  # exit code: nothing went wrong, the target was not found


def add_ask(commands: Any) -> None:
    parser = commands.add_parser(
        "ask", help="answer a question about an image, searching if need be"
    )
    parser.add_argument("image", metavar="IMAGE", help="an image file")
    parser.add_argument("question", metavar="QUESTION")
    parser.add_argument(
        "--option", action="append", dest="options", metavar="TEXT",
        help="a possible answer (repeat); the likeliest is chosen",
    )  # fmt: skip
    parser.add_argument(
        "--target", action="append", dest="targets", metavar="TEXT",
        help="a thing to search for whatever the model says it lacks (repeat)",
    )  # fmt: skip
    add_models(parser)
    _add_output(parser)
    parser.set_defaults(run=ask)


def add_locate(commands: Any) -> None:
    parser = commands.add_parser(
        "locate",
        help="search an image for a thing and box it",
        description=f"Exit codes: 0 found; {NOT_FOUND} not found; 1 failed; 2 wrong use; "
        "130 interrupted.",
    )
    parser.add_argument("image", metavar="IMAGE", help="an image file")
    parser.add_argument("target", metavar="TARGET", help='what to look for, as in "the red boat"')
    parser.add_argument(
        "--all", action="store_true",
        help=f"box and count every such thing: --search {EVERY}",
    )  # fmt: skip
    add_models(parser, answers=False)
    _add_output(parser)
    parser.set_defaults(run=locate)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument(
        "--save-path", type=Path, metavar="DIR", help="write a picture and a trace of each search"
    )


def _open(arguments: argparse.Namespace) -> Seal:
    from seal.pipeline.pictures import picture

    # What is wrong with these is told before a model is loaded.
    arguments.picture = picture(arguments.image)
    if arguments.save_path is not None:
        _require_writable(arguments.save_path)
    return open_seal(arguments)


def ask(arguments: argparse.Namespace) -> int:
    """Print the answer, what was looked for, and where it was found."""
    from seal.pipeline import Question

    options, targets = arguments.options, arguments.targets
    # Wrong ones end here, before a model is loaded.
    asked = Question(arguments.image, arguments.question, options or (), targets)
    _refuse_marks(asked, arguments.vqa)
    read_granularity(arguments.granularity)
    if targets and arguments.search == "none":
        raise ValueError("--target says what to search for and --search none never does: drop one")
    if arguments.planner == "given" and arguments.search in STRATEGIES and not targets:
        raise ValueError(
            "--planner given searches for what --target names: give --target, or drop --planner"
        )
    seal = _open(arguments)
    answer = seal.ask(arguments.picture, arguments.question, options=options, targets=targets)
    saved = _save(arguments, answer.searches)
    if arguments.json:
        print(json.dumps(answer.to_dict() | {"saved": saved}, indent=1))
        return 0
    print(answer.text)
    for result in answer.searches:
        print(f"  {_summary(result)}")
    if answer.levels:
        print(f"  {_levels(answer)}")
    if answer.left_out:
        print(f"  {answer.left_out} of these were not shown: the VQA LLM's context was full")
    _tell(saved)
    return 0


def _levels(answer: Answer) -> str:
    """How finely each picture was read for the answer, and what the question took in all."""
    image, *crops = answer.levels
    told = f"read at level {image}"
    if crops:
        told += f", {'crops' if len(crops) > 1 else 'crop'} at {', '.join(map(str, crops))}"
    return f"{told}: {answer.cost['answer_model']['visual_tokens']:,.0f} visual tokens in all"


def _refuse_marks(question: Question, vqa: str | None) -> None:
    """What only a model of the hub reads as letters."""
    try:
        question.refuse_marks()
    except ValueError:
        from seal.inference.model_kinds import model_kind

        if vqa is None or model_kind(vqa) != "hf":
            raise


def locate(arguments: argparse.Namespace) -> int:
    """Print the boxes; exit code `NOT_FOUND` if the target was not found."""
    from seal.text.targets import check_target

    check_target(arguments.target)
    if arguments.all:
        if arguments.search not in ("guided", EVERY):
            raise ValueError(
                f"--all is --search {EVERY}, and --search {arguments.search} is given: drop one"
            )
        arguments.search = EVERY
    seal = _open(arguments)
    result = seal.locate(arguments.picture, arguments.target)
    saved = _save(arguments, [result])
    if arguments.json:
        from seal.search.trace import to_dict

        count = {"count": result.count} if result.strategy == EVERY else {}
        print(json.dumps(to_dict(result) | count | {"saved": saved}, indent=1))
    else:
        print(_summary(result))
        _tell(saved)
    return 0 if result.found else NOT_FOUND


def _summary(result: Any) -> str:
    visits = f"{len(result.path)} region{'s' if len(result.path) != 1 else ''} looked at"
    if result.stopped_early is not None:
        visits += f", stopped early after {result.stopped_early}"
    name = result.target or "what the question is about"  # of ViCrop, which needs no name
    if result.settled:
        return f"{name}: not searched for, the whole image answers the question"
    if not result.found:
        return f"{name}: not found ({visits})"
    boxes = "; ".join(
        f"[{b.x0:.0f}, {b.y0:.0f}, {b.x1:.0f}, {b.y1:.0f}] ({score:.2f})"
        for b, score in zip(result.boxes, result.scores, strict=True)
    )
    if result.strategy == EVERY:
        boxes = f"{result.count} found: {boxes}"
    return f"{name}: {boxes} ({visits})"


def _save(arguments: argparse.Namespace, results: Any) -> list[str]:
    if arguments.save_path is None:
        return []
    from seal.search.draw import draw_path
    from seal.search.draw_map import map_cells
    from seal.search.trace import to_dict

    saved, number = [], 0
    for result in results:
        stem = f"{arguments.save_path / Path(arguments.image).stem}-{number}"
        while os.path.exists(f"{stem}.png") or os.path.exists(f"{stem}.json"):  # of an earlier call
            number += 1
            stem = f"{arguments.save_path / Path(arguments.image).stem}-{number}"
        stream = io.BytesIO()
        draw_path(arguments.picture, result).save(stream, "PNG")
        write_whole(f"{stem}.png", stream.getvalue())
        trace = to_dict(result, heat_cells=map_cells(result))
        write_whole(f"{stem}.json", json.dumps(trace, indent=1))
        saved += [f"{stem}.png", f"{stem}.json"]
    return saved


def _require_writable(folder: Path) -> None:
    """Make the folder that pictures go to, or say why that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"--save-path {folder}: cannot be made: {error.strerror or error}; name another folder"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(f"--save-path {folder}: you may not write there; name another folder")


def _tell(saved: list[str]) -> None:
    if saved:
        print("written: " + ", ".join(saved))
