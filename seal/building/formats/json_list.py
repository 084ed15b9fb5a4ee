"""Read a large JSON list element by element, and where each one stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seal.building.formats.json_arrays import Element, _Reader
from seal.files.plain_text import opened


def stream_list(path: str | Path) -> Iterator[Element]:
    """Every element of the list that `path` holds, in file order; their `key` is empty.

    A file with one object a line (JSON lines) is such a list too. Memory holds one element and one
    chunk.

    Raises:
        ValueError: the file is truncated, not JSON or not a list; it names the file and the byte.
    """
    with opened(path) as file:
        reader = _Reader(file, str(path))
        yield from reader.lines() if reader.opens_with() == "{" else reader.list_elements()
