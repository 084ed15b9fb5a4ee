"""`seal locate`: find a thing in one picture, in each of a folder, or the targets of a file."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seal.commands.items import Item, checked, is_many, read_items
from seal.commands.model_options import add_models
from seal.commands.progress import Progress
from seal.commands.query import add_output, check_output, load, run_many, told_failures
from seal.commands.results import save_searches, search_facts
from seal.search.strategies import EVERY

if TYPE_CHECKING:
    from seal.pipeline.ask_queue import AskQueue
    from seal.pipeline.ask_ticket import AskTicket
    from seal.search.result import SearchResult

NOT_FOUND = 3  # exit code: nothing went wrong, the target was not found
DESCRIPTION = f"""\
IMAGE is a picture, a folder of pictures, or a .jsonl file with a target a line, pictures from its
folder on:
  {{"image": "photos/1.jpg", "target": "the red boat"}}
Of many, each result is a line of JSON, on stdout or in --out, which the same command continues.

Exit codes: 0 found (of many: in one of them); {NOT_FOUND} not found; 1 failed; 2 wrong use;
130 interrupted."""


def add_locate(commands: Any) -> None:
    parser = commands.add_parser(
        "locate", help="search an image for a thing and box it", description=DESCRIPTION
    )
    parser.add_argument("image", metavar="IMAGE", help="a picture, a folder, or a .jsonl file")
    parser.add_argument(
        "target", metavar="TARGET", nargs="?",
        help='what to look for, as in "the red boat" (of a file: in its lines)',
    )  # fmt: skip
    parser.add_argument(
        "--all", action="store_true",
        help=f"box and count every such thing: --search {EVERY}",
    )  # fmt: skip
    add_models(parser, answers=False)
    add_output(parser)
    parser.set_defaults(run=locate, misused=parser.error)


def locate(arguments: argparse.Namespace) -> int:
    """Print the boxes; exit code `NOT_FOUND` if the target was not found."""
    from seal.text.targets import check_target

    many = is_many(arguments.image)
    check_output(arguments, many=many)
    if arguments.all:
        if arguments.search not in ("guided", EVERY):
            raise ValueError(
                f"--all is --search {EVERY}, and --search {arguments.search} is given: drop one"
            )
        arguments.search, arguments.all = EVERY, False
    if not many:
        if arguments.target is None:
            arguments.misused("of one picture, TARGET is required: what to look for")
        check_target(arguments.target)
        return _locate_one(arguments)
    items = read_items(arguments.image, arguments.target, key="target")
    checked(items, lambda item: check_target(item.text))
    found = []

    def tell(item: Item, result: SearchResult) -> Mapping[str, Any]:
        found.append(result.found)
        return _line(arguments, item, result)

    lines = run_many(arguments, items, _submit, tell)
    code = told_failures(lines)
    return code if code or not found or any(found) else NOT_FOUND


def _submit(queue: AskQueue, item: Item) -> AskTicket[SearchResult]:
    assert item.path is not None  # `read_items` wants one of a target
    return queue.locate(item.path, item.text)


def _locate_one(arguments: argparse.Namespace) -> int:
    from seal.pipeline.pictures import picture

    image = picture(arguments.image)
    with Progress(quiet=arguments.quiet) as progress:
        seal = load(arguments, progress)
        progress.say(f"{arguments.target}: looking at the whole image")
        result = seal.locate(image, arguments.target, on_event=progress.on_event)
        for note in result.notes:
            progress.tell(f"note: {note}")
    saved = save_searches(arguments.save_path, image, Path(arguments.image).stem, [result])
    if arguments.json:
        from seal.search.trace import to_dict

        count = {"count": result.count} if result.strategy == EVERY else {}
        print(json.dumps(to_dict(result) | count | {"saved": saved}, indent=1))
    else:
        print(result)
        if saved:
            print("written: " + ", ".join(saved))
    return 0 if result.found else NOT_FOUND


def _line(arguments: argparse.Namespace, item: Item, result: SearchResult) -> Mapping[str, Any]:
    """What stands in a line besides the target."""
    if result.failure is not None:
        raise result.failure
    line = search_facts(result)
    del line["target"]  # it stands in the line as it was asked
    if arguments.save_path is not None and item.path is not None:
        from seal.pipeline.pictures import picture

        shown = picture(item.path)
        line["saved"] = save_searches(arguments.save_path, shown, item.path.stem, [result])
    if arguments.json:
        from seal.search.trace import to_dict

        line["result"] = to_dict(result)
    return line
