"""Whether a command of the documentation is understood: its options and keys exist."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from programs_here import ROOT

from seal import schema
from seal.cli import build_parser
from seal.commands.programs import names
from seal.schema.manual import Entry, class_entries

CONF = ROOT / "conf"


def understand(words: list[str]) -> None:
    """What `seal` is told: every option is one of the command, every key and file of the program.

    Reads sources and imports nothing. What a key may be told is left to `compose`.
    """
    program, *overrides = words
    if not {"--help", "-h", "--version"}.isdisjoint(words):
        return
    if "/" not in program:
        build_parser().parse_args(words)
        return
    assert program in names(), f"no program {program}"
    path = ROOT / f"{program}.py"
    said = re.search(r'^@program\("(\w+)", (\w+)\)', path.read_text(), re.MULTILINE)
    assert said is not None, f"{program} is no program"
    entries, groups = class_entries(path, said[2]), _groups(CONF / f"{said[1]}.yaml")
    for word in overrides:
        key, equals, value = word.lstrip("+~").partition("=")
        if word == "-m" or key.startswith(("hydra.", "hydra/")):
            continue
        assert equals, f"{program}: {word} sets nothing"
        if key in groups:
            for name in value.split(","):
                assert (CONF / key / f"{name}.yaml").is_file(), f"{program}: no {key}={name}"
        else:
            assert _known(entries, key.split(".")), f"{program}: no key {key}"


def _groups(file: Path) -> set[str]:
    defaults = yaml.safe_load(file.read_text())["defaults"]
    return {str(group) for item in defaults if isinstance(item, dict) for group in item}


def _known(entries: dict[str, Entry], parts: list[str]) -> bool:
    entry = entries.get(parts[0])
    if entry is None or len(parts) == 1:
        return entry is not None
    return _known(entry.inner, parts[1:]) if entry.inner else entry.type.startswith("dict")


def compose(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What a program is told, read as the program reads it; its files need not be there.

    Raises:
        Exception: a key or a value is not one.
    """
    program, *overrides = words
    told: list[Any] = []
    monkeypatch.setattr(
        schema, "program", lambda name, kind: told.extend((name, kind)) or (lambda main: main)
    )
    name = f"understood_{program.replace('/', '_')}"
    spec = importlib.util.spec_from_file_location(name, ROOT / f"{program}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)  # type hints are looked up there
    spec.loader.exec_module(module)
    overrides = [
        word for word in overrides if word != "-m" and not word.startswith(("hydra.", "hydra/"))
    ]
    if "-m" in words:  # of a sweep, the first of each choice
        overrides = [re.sub(r"^([^=]+=[^,\[]+),.*$", r"\1", word) for word in overrides]
    try:
        schema.compose(CONF, *told, overrides)
    except ValueError as error:
        # Its files are not here; its keys are what this is about.
        if not re.search(r"is not a folder|is not a file|does not exist|is no folder", str(error)):
            raise


def understand_python(text: str, place: str) -> None:
    """That it is Python, and that all it imports of seal is there."""
    for node in ast.walk(ast.parse(text, place)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "seal":
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                assert hasattr(module, alias.name), f"{place}: no {node.module}.{alias.name}"
