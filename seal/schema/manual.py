"""The manual of a program, read from its source: nothing is imported, so it is there at once."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SOURCES = Path(__file__).resolve().parents[2]  # the folder that holds `seal`


@dataclass(kw_only=True, slots=True)
class Entry:
    """A field of a dataclass, as its source tells it."""

    name: str
    type: str
    default: str | None  # None: it has to be set
    comment: str
    inner: dict[str, Entry] = field(default_factory=dict)  # the fields of a dataclass


def manual(path: Path, conf: Path) -> str:
    """The docstring of the program `path`, its keys, and the files of `conf` it can choose."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    config_name, schema = _program(tree)
    entries = class_entries(path, schema)
    lines = [ast.get_docstring(tree) or "", "", "keys, each written key=value:"]
    for name, entry in _flat(entries, ""):
        if entry.inner:
            continue
        value = "has to be set" if entry.default is None else f"= {entry.default}"
        told = f"  {name}: {entry.type} {value}"
        lines.append(f"{told:<48}  # {entry.comment}" if entry.comment else told)
    for group, names in choices(conf, config_name, entries).items():
        lines += ["", f"{group}=NAME, one of:", *_columns(names)]
    return "\n".join(lines)


def words(path: Path, conf: Path) -> dict[str, list[str]]:
    """Every key of the program `path`; those of groups with the files they can choose, else []."""
    config_name, schema = _program(_parsed(path))
    entries = class_entries(path, schema)
    keys: dict[str, list[str]] = {name: [] for name, entry in _flat(entries, "") if not entry.inner}
    return keys | choices(conf, config_name, entries)


def choices(conf: Path, config_name: str, entries: dict[str, Entry]) -> dict[str, list[str]]:
    """For each group of a program, the files that set only keys it has."""
    defaults = yaml.safe_load((conf / f"{config_name}.yaml").read_text(encoding="utf-8"))
    groups = {
        str(group) for item in defaults["defaults"] if isinstance(item, dict) for group in item
    }
    found = {}
    for group in sorted(groups, key=lambda name: (name != "experiment", name)):
        if (conf / group).is_dir() and group != "hydra":
            names = [file.stem for file in sorted((conf / group).glob("*.yaml"))]
            found[group] = [
                name for name in names if _fits(conf, f"{group}/{name}", groups, entries)
            ]
    return {group: names for group, names in found.items() if names}


def class_entries(path: Path, name: str) -> dict[str, Entry]:
    """The fields of the dataclass `name` that the module `path` defines or imports."""
    place = _find(path, name)
    if place is None:
        return {}
    path, node = place
    if not any("dataclass" in ast.unparse(mark) for mark in node.decorator_list):
        return {}
    found: dict[str, Entry] = {}
    for base in node.bases:
        found |= class_entries(path, ast.unparse(base))
    comments = _comments(path)
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            kind = ast.unparse(item.annotation)
            if kind.startswith("ClassVar"):
                continue
            inner = kind.removesuffix(" | None")
            found[item.target.id] = Entry(
                name=item.target.id,
                type=kind,
                default=None if item.value is None else _default(item.value),
                comment=comments.get(item.end_lineno or 0) or _above(path, item.lineno),
                inner=class_entries(path, inner) if inner.isidentifier() else {},
            )
    return found


def _program(tree: ast.Module) -> tuple[str, str]:
    """The configuration's name and the dataclass that `@program(NAME, SCHEMA)` is given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "program":
            name, schema = node.args
            assert isinstance(name, ast.Constant)
            return str(name.value), ast.unparse(schema)
    raise ValueError("not a program: no @program(name, schema)")


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _find(path: Path, name: str) -> tuple[Path, ast.ClassDef] | None:
    for node in _parsed(path).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return path, node
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("seal"):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    module = SOURCES.joinpath(*node.module.split("."))
                    file = module.with_suffix(".py")
                    return _find(file if file.is_file() else module / "__init__.py", alias.name)
    return None


@cache
def _comments(path: Path, *, alone: bool = False) -> dict[int, str]:
    """Line -> the comment at its end; `alone`: that has the line to itself."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    return {
        token.start[0]: token.string.lstrip("# ")
        for token in tokens
        if token.type == tokenize.COMMENT and (token.line.strip() == token.string) == alone
    }


def _above(path: Path, line: int) -> str:
    """The comment on the lines right above a line."""
    comments, first = _comments(path, alone=True), line
    while first - 1 in comments:
        first -= 1
    return " ".join(comments[number] for number in range(first, line))


def _default(value: ast.expr) -> str:
    """`field(default_factory=list)` as what it makes."""
    if isinstance(value, ast.Call) and ast.unparse(value.func) == "field":
        (given,) = [
            word.value for word in value.keywords if word.arg in ("default", "default_factory")
        ]
        if isinstance(given, ast.Lambda):
            return ast.unparse(given.body)
        return {"list": "[]", "dict": "{}"}.get(ast.unparse(given), ast.unparse(given))
    return ast.unparse(value)


def _flat(entries: dict[str, Entry], prefix: str) -> Iterator[tuple[str, Entry]]:
    for entry in entries.values():
        yield f"{prefix}{entry.name}", entry
        yield from _flat(entry.inner, f"{prefix}{entry.name}.")


def _fits(conf: Path, name: str, groups: set[str], entries: dict[str, Entry]) -> bool:
    """Whether a file of `conf`, with the files it chooses, sets only what `entries` have.

    An experiment also sets whatever has no default: that tells two programs with like keys apart.
    """
    parts = _parts(conf, name, groups)
    if parts is None or not all(_keys_fit(part, entries) for part in parts):
        return False
    needed = {key for key, entry in entries.items() if entry.default is None and not entry.inner}
    return not name.startswith("experiment/") or needed <= {key for part in parts for key in part}


def _parts(conf: Path, name: str, groups: set[str]) -> list[dict[str, Any]] | None:
    """What a file and those it chooses set, each from the root; None: one is not there."""
    text = (conf / f"{name}.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text) or {}
    group = name.rpartition("/")[0]
    parts = []
    for item in document.pop("defaults", []):
        chosen = {group: item} if isinstance(item, str) else item
        for key, choice in chosen.items():
            choice, _, place = str(choice or "").partition("@")
            other = str(key).removeprefix("override ").removeprefix("/")
            if choice in ("_self_", ""):
                continue
            known = other in groups and (conf / other / f"{choice}.yaml").is_file()
            inner = _parts(conf, f"{other}/{choice}", groups) if known else None
            if inner is None:
                return None
            # What is put elsewhere sets something of that key, whatever it is in its own place.
            parts += [{place.partition(".")[0]: {}}] if place else inner
    if "@package _global_" not in text.partition("\n")[0]:
        for part in group.split("/"):
            document = {part: document}
    return [*parts, document]


def _keys_fit(document: dict[str, Any], entries: dict[str, Entry]) -> bool:
    for key, value in document.items():
        entry = entries.get(str(key))
        if entry is None:
            return False
        if entry.inner and isinstance(value, dict) and not _keys_fit(value, entry.inner):
            return False
    return True


def _columns(names: list[str], width: int = 98) -> list[str]:
    lines = ["  "]
    for name in names:
        if len(lines[-1]) + len(name) + 2 > width and lines[-1].strip():
            lines.append("  ")
        lines[-1] += f"{name}  "
    return [line.rstrip() for line in lines]
