"""The manual's commands: every program is there, and every key is one of its own."""

from __future__ import annotations

import importlib.util
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from seal import schema
from seal.cli import build_parser
from seal.commands.programs import names

ROOT = Path(__file__).resolve().parents[2]


def commands() -> list[list[str]]:
    """Every command of the manual's shell blocks, its variables and comments resolved."""
    text = (ROOT / "data_builders" / "README.md").read_text(encoding="utf-8")
    found, variables = [], {}
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for name, value in re.findall(r"\b([A-Z])=(\S+?);? ?(?=\s|$|;)", line.split("seal")[0]):
                variables[name] = value.rstrip(";")
            line = re.sub(r"\$([A-Z])\b", lambda match: variables[match[1]], line)
            words = shlex.split(line, comments=True)
            if words[:1] == ["torchrun"]:
                words = words[words.index("-m") + 1 :]
            if words[:1] == ["seal"]:
                found.append(words[1:])
    return found


def test_the_manual_names_every_builder() -> None:
    text = (ROOT / "data_builders" / "README.md").read_text(encoding="utf-8")
    builders = {name for name in names() if name.startswith("data_builders/")}
    assert len(commands()) > 30
    assert {name for name in builders if name not in text} <= {"data_builders/scenes"}


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_command_is_understood(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    program, *overrides = words
    if "/" not in program:
        build_parser().parse_args(words)
        return
    if program not in names():
        pytest.skip(f"no program {program}")
    told: list[Any] = []
    monkeypatch.setattr(
        schema, "program", lambda name, kind: told.extend((name, kind)) or (lambda main: main)
    )
    spec = importlib.util.spec_from_file_location("the_program", ROOT / f"{program}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "the_program", module)  # type hints are looked up there
    spec.loader.exec_module(module)
    try:
        schema.compose(ROOT / "conf", *told, overrides)
    except ValueError as error:
        # Its files are not here; its keys are what this is about.
        assert re.search(r"is not a folder|is not a file|does not exist", str(error)), error
