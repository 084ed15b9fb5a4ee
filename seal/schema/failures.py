"""Why composition failed: a file of one's own that cannot be read, or another program's choice."""

from __future__ import annotations

import codecs
import inspect
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, get_type_hints

from seal.schema.errors import explain
from seal.schema.keys import bare
from seal.schema.manual import choices, class_entries

OPTIONS = ("--config-dir", "-cd", "--config-path", "-cp")


@contextmanager
def told(words: Sequence[str], schema: type[Any], conf: Path, config_name: str) -> Iterator[None]:
    """Where composition fails, say what Hydra's own error does not.

    It names no file for wrong bytes; a byte order mark hides `# @package`; and it offers every
    file of a group, those of other programs among them.
    """
    try:
        yield
    except Exception as error:
        for folder in _folders(words):
            for path in sorted(Path(folder).rglob("*.yaml")):
                fault = _fault(path.read_bytes())
                if fault:
                    raise ValueError(f"{path}{fault}") from error
        if isinstance(error, AssertionError | AttributeError) and (found := _unset(words, schema)):
            key, part = found
            raise ValueError(
                f"{key}: {part} is null here and cannot be set on the command line; choose an "
                f"experiment that sets {part}, or set it in a file of your own (--config-dir)"
            ) from error
        entries = class_entries(Path(inspect.getfile(schema)), schema.__name__)
        offered = choices(conf, config_name, entries)
        unchosen = re.search(r"You must specify '(\w+)'", str(error))
        if unchosen and unchosen[1] in offered:
            group = unchosen[1]
            raise ValueError(f"{group} is not chosen; {_one_of(group, offered)}") from error
        for group, _, name in (word.partition("=") for word in words):
            unfit = group in offered and name not in offered[group]
            if unfit and (conf / group / f"{name}.yaml").is_file():
                raise ValueError(
                    f"{group}={name} does not fit this program ({explain(error)}); "
                    f"{_one_of(group, offered)}"
                ) from error
        raise


def _unset(words: Sequence[str], schema: type[Any]) -> tuple[str, str] | None:
    """A key that a word means to set, and the optional part that it is, or lies in."""
    for word in words:
        key = word.partition("=")[0].lstrip("+")
        parts = key.split(".")
        kind: Any = schema
        for place, part in enumerate(parts):
            hint = get_type_hints(kind).get(part) if is_dataclass(kind) else None
            kind, optional = bare(hint)
            if optional and is_dataclass(kind):
                return key, ".".join(parts[: place + 1])
    return None


def _one_of(group: str, offered: dict[str, list[str]]) -> str:
    return f"write {group}=NAME with one of: {', '.join(offered[group])}"


def _folders(words: Sequence[str]) -> list[str]:
    after = [word for option, word in pairwise(words) if option in OPTIONS]
    inside = [word.partition("=") for word in words if "=" in word]
    return after + [value for option, _, value in inside if option in OPTIONS]


def _fault(content: bytes) -> str:
    for mark in (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        if content.startswith(mark):
            return ": begins with a byte order mark; save it as UTF-8 without one"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f":{line}: is not UTF-8; save it as UTF-8"
    return ""
