"""What `seal ask` and `seal locate` share: how results are told, and many pictures one by one."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from seal.commands.items import Item
from seal.commands.model_options import choose_models, open_seal
from seal.commands.progress import Progress
from seal.commands.result_lines import ResultLines
from seal.commands.results import require_writable

if TYPE_CHECKING:
    from seal.pipeline import Seal
    from seal.pipeline.ask_queue import AskQueue
    from seal.pipeline.ask_ticket import AskTicket

AHEAD = 64  # questions that are submitted and not told yet
# Options of a command that decide what comes out; the others decide how soon, or how it is told.
_DECIDING = (
    *("vqa", "vsm", "clip", "guide", "guide_model", "search", "all", "planner", "budget"),
    *("quantization", "dtype", "granularity", "layout", "min_pixels", "max_pixels", "revision"),
    "protocol",
)

Submit = Callable[["AskQueue", Item], "AskTicket[Any]"]
Tell = Callable[[Item, Any], Mapping[str, Any]]


def add_output(parser: argparse.ArgumentParser) -> None:
    """How results are told."""
    parser.add_argument("--json", action="store_true", help="print all of the result as JSON")
    parser.add_argument(
        "--save-path", type=Path, metavar="DIR", help="write a picture and a trace of each search"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE",
        help="of a folder or a file of lines: where the lines of results go; the same command "
        "continues it (stdout)",
    )  # fmt: skip
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="print nothing but results and errors"
    )


def check_output(arguments: argparse.Namespace, *, many: bool) -> None:
    """What is wrong with where results go is told before a model is loaded.

    Raises:
        ValueError: see above.
    """
    if arguments.save_path is not None:
        if os.path.isdir(arguments.image) and _inside(arguments.save_path, arguments.image):
            raise ValueError(
                f"--save-path {arguments.save_path} lies in {arguments.image}: what is written "
                "there would be asked about the next time; name a folder elsewhere"
            )
        require_writable(arguments.save_path)
    if arguments.out is not None and not many:
        raise ValueError(
            f"--out {arguments.out} takes the lines of a folder or a .jsonl file, and "
            f"{arguments.image} is one picture: write its result with --json > FILE"
        )


def _inside(inner: Path, outer: str) -> bool:
    return Path(os.path.realpath(inner)).is_relative_to(os.path.realpath(outer))


def load(arguments: argparse.Namespace, progress: Progress) -> Seal:
    """The models, while it is told that they are being loaded."""
    progress.say("loading the models")
    return open_seal(arguments, tell=progress.tell)


def run_many(
    arguments: argparse.Namespace, items: list[Item], submit: Submit, tell: Tell
) -> ResultLines:
    """Ask about each, batched together, and write a line of each as it ends.

    What fails is the error of its own line.

    Args:
        submit: puts an item into the queue.
        tell: the rest of its line, from its outcome.
    """
    with Progress(quiet=arguments.quiet) as progress:
        progress.say("loading the models")
        choose_models(arguments, progress.tell)
        with ResultLines(arguments.out, by=decided(arguments)) as lines:
            left = [item for item in items if not lines.has(asked(item, arguments))]
            if not left:
                progress.tell(f"{arguments.out} has every answer already")
                return lines
            seal = open_seal(arguments, tell=progress.tell)
            if len(left) < len(items):
                told = f"{len(items) - len(left)} of {len(items)} are in {arguments.out} already"
                progress.tell(told)
            progress.say(f"0 of {len(left)} done")
            with seal.queue() as queue:
                for done, (item, ticket) in enumerate(_as_they_end(queue, left, submit), start=1):
                    lines.add({**asked(item, arguments), **_outcome(item, ticket, tell)})
                    progress.say_on(f"{done} of {len(left)} done")
    return lines


def told_failures(lines: ResultLines) -> int:
    """Exit code: 1 where a line has an error, which is told."""
    if not lines.num_failed:
        return 0
    told = "failed" if lines.num_failed == 1 else f"{lines.num_failed} failed, the first"
    print(f"seal: {told}: {lines.first_error}", file=sys.stderr)
    return 1


def asked(item: Item, arguments: argparse.Namespace) -> dict[str, Any]:
    """The keys of a line that say what it answers."""
    key = "question" if arguments.command == "ask" else "target"
    told: dict[str, Any] = {"id": item.id, "image": item.image, key: item.text}
    if item.options:
        told["options"] = list(item.options)
    if item.targets:
        told["targets"] = list(item.targets)
    return told


def decided(arguments: argparse.Namespace) -> str:
    """The options that decide what comes out, as they are typed."""
    words = []
    for name in _DECIDING:
        value = getattr(arguments, name, None)
        if value in (None, False, [], ""):
            continue
        values = value if isinstance(value, list) else [value]
        flag = f"--{name.replace('_', '-')}"
        words += [flag if value is True else f"{flag} {each}" for each in values]
    return " ".join(words)


def _as_they_end(
    queue: AskQueue, items: Iterable[Item], submit: Submit
) -> Iterator[tuple[Item, AskTicket[Any] | Exception]]:
    """Each item with its ended ticket, or what its submission was refused with."""
    ended: SimpleQueue[tuple[Item, AskTicket[Any]]] = SimpleQueue()
    under_way = 0
    for item in items:
        try:
            ticket = submit(queue, item)
        except (ValueError, OSError) as error:  # no picture
            yield item, error
            continue
        ticket.when_done(partial(_put, ended, item))
        under_way += 1
        if under_way == AHEAD:
            yield ended.get()
            under_way -= 1
    for _ in range(under_way):
        yield ended.get()


def _put(
    ended: SimpleQueue[tuple[Item, AskTicket[Any]]], item: Item, ticket: AskTicket[Any]
) -> None:
    ended.put((item, ticket))


def _outcome(item: Item, ticket: AskTicket[Any] | Exception, tell: Tell) -> Mapping[str, Any]:
    try:
        if isinstance(ticket, Exception):
            raise ticket
        return tell(item, ticket.result())
    except Exception as error:
        message = " ".join(str(error).split())
        return {"error": f"{type(error).__name__}: {message}" if message else type(error).__name__}
