"""Read JSON lists and JSON lines as rows; each says which entry or line it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seal.evaluation.sources.rows import ListedRows
from seal.files.plain_text import read_json_file, read_text


def read_json_list(path: Path, under: str | None = None) -> ListedRows:
    """The objects of a JSON list, or of the list that the object in a file has under a key.

    Raises:
        ValueError: no JSON, no such list, an empty one, or an entry that is no object; names the
            file and the entry, counted from 1.
    """
    content = read_json_file(path)
    if under is not None and isinstance(content, dict):
        if under not in content:
            raise ValueError(f"{path} lacks {under}, the list of its entries")
        content = content[under]
    if not isinstance(content, list):
        named = "a list" if under is None else f"a list, or an object with {under}"
        raise ValueError(f"{path}: expected {named}, found {_kind(content)}")
    if not content:
        raise ValueError(f"{path} has no entries")
    places = [f": entry {number}" for number in range(1, len(content) + 1)]
    for entry, place in zip(content, places, strict=True):
        _require_object(entry, f"{path}{place}")
    return ListedRows(str(path), content, places)


def read_json_lines(path: Path) -> ListedRows:
    """The objects of a file with one on each line; blank lines are passed over.

    Raises:
        ValueError: a line that is no JSON object, or no lines; names the file and the line.
    """
    rows, places = [], []
    # Not `splitlines`: it also splits at U+2028 and the like, which may stand inside a string.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:  # the latter: lists too deep in each other
            raise ValueError(f"{path}:{number} is not JSON: {error}") from error
        _require_object(entry, f"{path}:{number}")
        rows.append(entry)
        places.append(f":{number}")
    if not rows:
        raise ValueError(f"{path} has no lines")
    return ListedRows(str(path), rows, places)


def _require_object(entry: Any, where: str) -> None:
    if not isinstance(entry, dict):
        raise ValueError(f"{where}: expected an object, found {_kind(entry)}")


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return "null" if value is None else kinds.get(type(value), "a number")
