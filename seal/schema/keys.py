"""The keys of a configuration: which there are, what type each holds, which choose a file."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml

from seal.schema.errors import unknown, unknown_key


@dataclass(kw_only=True, slots=True)
class Kind:
    """What a key holds."""

    hint: Any  # without `| None`
    optional: bool = False
    empty: bool = False  # an empty text is its default, so it may be written too
    entry: bool = False  # of a table of texts by name, in which any name is new once


class Keys:
    """The keys of `schema` and the groups that `conf/CONFIG_NAME.yaml` chooses files from."""

    def __init__(self, schema: type[Any], folder: Path, config_name: str) -> None:
        self.schema = schema
        self.groups = groups(folder / f"{config_name}.yaml")

    def kind(self, key: str) -> Kind | None:
        """The type of a dotted key; None: there is no such key."""
        return _kind(self.schema, key.split("."))

    def known(self, key: str) -> bool:
        """Whether the key sets something, chooses a file, or is one of Hydra's own."""
        return (
            key in self.groups
            or key.partition(".")[0] == "hydra"
            or "/" in key
            or "@" in key
            or self.kind(key) is not None
        )

    def unknown(self, key: str) -> str:
        """One line that names the key and what is near, in whatever part of the tree it lies."""
        parts = key.split(".")
        while len(parts) > 1 and self.kind(".".join(parts[:-1])) is None:
            parts.pop()
        if len(parts) > 1:
            kind = self.kind(".".join(parts[:-1]))
            return unknown(".".join(parts), kind.hint if kind else None)
        name, dotted = parts[0], list(all_keys(self.schema))
        top = [path for path in dotted if "." not in path] + sorted(self.groups)
        top = list(dict.fromkeys(top))
        same = [path for path in dotted if path.rpartition(".")[2] == name]
        near = same or difflib.get_close_matches(name, top, n=3, cutoff=0.5)
        if not near:
            ends = {path.rpartition(".")[2]: path for path in reversed(dotted)}
            near = [ends[end] for end in difflib.get_close_matches(name, ends, n=3, cutoff=0.75)]
        return unknown_key(name, near[:5], top)


def groups(config: Path) -> set[str]:
    """The groups in the defaults of a program's configuration file."""
    document = yaml.safe_load(config.read_text(encoding="utf-8"))
    entries = [name for entry in document["defaults"] if isinstance(entry, dict) for name in entry]
    return {str(name) for name in entries if " " not in str(name)} - {"hydra"}


def bare(hint: Any) -> tuple[Any, bool]:
    """A type without `| None`, and whether it had that."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    others = [arg for arg in get_args(hint) if arg is not type(None)]
    return others[0] if len(others) == 1 else Any, len(others) < len(get_args(hint))


def _kind(hint: Any, parts: list[str]) -> Kind | None:
    hint, optional = bare(hint)
    if not parts:
        return Kind(hint=hint, optional=optional)
    if is_dataclass(hint):
        for field in fields(hint):
            if field.name == parts[0]:
                kind = _kind(get_type_hints(hint)[field.name], parts[1:])
                if kind is not None and len(parts) == 1:
                    kind.empty = field.default is not MISSING and field.default == ""
                return kind
        return None
    if get_origin(hint) is dict:
        kind = _kind(get_args(hint)[1], parts[1:])
        if kind is not None and kind.hint is str and len(parts) == 1:
            kind.entry = True
        return kind
    return Kind(hint=Any) if hint in (Any, dict) or get_origin(hint) is list else None


def all_keys(kind: Any, prefix: str = "") -> Iterator[str]:
    """Every dotted key, those that hold others among them."""
    for name, hint in get_type_hints(kind).items():
        yield f"{prefix}{name}"
        inner = bare(hint)[0]
        if is_dataclass(inner):
            yield from all_keys(inner, f"{prefix}{name}.")
