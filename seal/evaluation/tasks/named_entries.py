"""A JSON file that is one object of entries by their names, each name once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seal.evaluation.tasks.entries import Entry
from seal.files.plain_text import read_text
from seal.text.quote import quoted


def read_named(path: Path) -> dict[str, Any]:
    """The object in a file.

    Raises:
        ValueError: no JSON, no object, an empty one, or a name that stands there twice.
    """
    text = read_text(path)
    try:
        content = json.loads(text, object_pairs_hook=_once)
    except RecursionError as error:
        raise ValueError(f"{path} is not JSON: nested too deep") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}; is the file complete?") from error
    except ValueError as error:  # a number of too many digits
        raise ValueError(f"{path} cannot be read: {error}") from error
    except _TwiceError as error:
        raise ValueError(f"{path}: {error} stands there twice: which one is meant?") from error
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path}: expected an object with an entry for each name")
    return content


def named_entry(path: Path, name: str, content: Any, keys: Sequence[str]) -> Entry:
    """One of them, which must have `keys`."""
    where = f"{path}: {quoted(name)}"
    if not isinstance(content, Mapping):
        raise ValueError(f"{where} is {quoted(content)}: expected an object")
    if missing := [key for key in keys if key not in content]:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    return Entry(where, content)


class _TwiceError(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(quoted(next(name for name in names if names.count(name) > 1)))
    return made
