"""`seal app`: a page to drop a picture on, ask, and watch the search."""

from __future__ import annotations

import argparse
import copy
import functools
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seal.commands.model_options import SEARCH_WORDS, add_models, open_seal, tell_stderr

if TYPE_CHECKING:
    from seal.app.parts import Parts
    from seal.pipeline import Seal


def add_app(commands: Any) -> None:
    parser = commands.add_parser(
        "app",
        help="a page to search with: drop a picture, ask, and watch",
        description="Serve a page on this machine: drop a picture, ask a question or name things, "
        "watch the search, and save it as one file. Ctrl-C ends it.",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on (%(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=7860, metavar="N", help="(%(default)s; 0: any that is free)"
    )
    parser.add_argument(
        "--open", action=argparse.BooleanOptionalAction, default=False,
        help="open the page in a browser",
    )  # fmt: skip
    parser.add_argument(
        "--examples", type=Path, metavar="DIR",
        help="pictures to begin with (drawn scenes); a .json beside one may hold its question and "
        "options",
    )  # fmt: skip
    parser.add_argument(
        "--also", action="append", default=[], metavar="NAME",
        help="another answer model to choose on the page, as for --vqa; loaded when it is chosen, "
        "and kept (repeat)",
    )  # fmt: skip
    parser.add_argument(
        "--share", action="store_true",
        help="also serve it to anybody with a link, through a server of gradio's",
    )  # fmt: skip
    add_models(parser)
    parser.set_defaults(run=app)


def app(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C or SIGTERM."""
    from seal.app.server import free_port, page_folder, require_gradio, served

    require_gradio()
    # What is wrong with these is told before a model is loaded.
    free_port(arguments.host, arguments.port)
    with page_folder() as folder:
        parts = _parts(arguments, folder)
        from seal.app.page import build_page

        page = build_page(parts)
        with (
            parts.desk,
            served(
                page, folder, host=arguments.host, port=arguments.port, share=arguments.share
            ) as address,
        ):
            print(address, flush=True)
            tell_stderr("open this address in a browser; Ctrl-C ends the page")
            if arguments.open:
                import webbrowser

                webbrowser.open(address)
            _wait_for_the_end()
    return 0


def _wait_for_the_end() -> None:
    """Until Ctrl-C or SIGTERM; what was there for these before is there again afterwards."""
    ended = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: ended.set()) for number in numbers]
    try:
        ended.wait()
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _parts(arguments: argparse.Namespace, folder: Path) -> Parts:
    """The models, and what is shown at first."""
    from seal.app.desk import Desk
    from seal.app.examples import drawn_examples, folder_examples
    from seal.app.models import Models
    from seal.app.parts import Parts

    given = copy.copy(arguments)
    # What is wrong with a folder is told before a model is loaded.
    examples = (
        drawn_examples() if arguments.examples is None else folder_examples(arguments.examples)
    )
    seal = open_seal(arguments)
    models = Models(
        seal,
        name=arguments.vqa or "",
        search=arguments.search,
        others={name: functools.partial(_open_other, given, name) for name in arguments.also},
    )
    told = {"answers": arguments.vqa, "searches": arguments.vsm, "guide": arguments.guide}
    if arguments.guide == "seal":
        del told["guide"]
    return Parts(
        models=models,
        desk=Desk(models),
        examples=examples,
        folder=folder,
        told={role: name for role, name in told.items() if name},
        search_words=SEARCH_WORDS,
        only_drawn=seal.drawn_only,
    )


def _open_other(given: argparse.Namespace, name: str) -> Seal:
    """Another answer model by itself: what searches is loaded already."""
    arguments = copy.copy(given)
    arguments.vqa, arguments.vsm, arguments.miniature = name, None, False
    arguments.search, arguments.budget = "none", []
    return open_seal(arguments)
