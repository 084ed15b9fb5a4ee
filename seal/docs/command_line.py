"""The reference of the command line: what `--help` prints, so that no page tells it otherwise."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

from seal.cli import build_parser, subparsers
from seal.commands.programs import names, program_path, programs_root
from seal.schema.manual import manual

WIDTH = "92"  # of a help text, in letters


def command_line() -> str:
    """Each command of `seal` under its own heading."""
    with _plain():
        parser = build_parser()
        parts = ["## seal", _shown(parser)]
        for name, command in sorted(subparsers(parser).items()):
            parts += [f"## seal {name}", _shown(command)]
    return "\n\n".join(parts)


def programs(folder: str) -> str:
    """Each program of `folder` under its own heading: its manual, its keys, its choices."""
    parts = []
    for name in names():
        if name.startswith(f"{folder}/"):
            text = manual(program_path(name), programs_root() / "conf")
            about, _, keys = text.partition("\n\nkeys, each written key=value:")
            parts += [f"## {name}", _block(about)]
            if keys:
                listed = _block(keys.strip("\n")).replace("\n", "\n    ")
                parts.append(f'??? note "Keys and choices of {name}"\n\n    {listed}')
    return "\n\n".join(parts)


def _shown(parser: argparse.ArgumentParser) -> str:
    return _block(parser.format_help())


def _block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"


@contextmanager
def _plain() -> Iterator[None]:
    """Help as it is printed on no terminal in particular."""
    before = dict(os.environ)
    os.environ.update(COLUMNS=WIDTH, NO_COLOR="1")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
