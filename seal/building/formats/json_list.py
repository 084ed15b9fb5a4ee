"""Read a large JSON list element by element, and where each one stands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from seal.building.formats.json_arrays import Element, _Reader


def stream_list(path: str | Path) -> Iterator[Element]:
    """Every element of the list that `path` holds, in file order; their `key` is empty.

    Memory holds one element and one chunk.

    Raises:
        ValueError: the file is truncated, not JSON or not a list; it names the file and the byte.
    """
    with Path(path).open("rb") as file:
        yield from _Reader(file, str(path)).list_elements()
