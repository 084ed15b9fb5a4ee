"""Read a JSON document member by member when its outermost value is one long object or list."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seal.building.formats.json_arrays import Element, _Reader, read_element
from seal.building.formats.json_list import stream_list
from seal.files.plain_text import opened

_LONGEST_KEY = 1024  # bytes, the blanks behind it included
_KEY = re.compile(rb'("(?:[^"\\]|\\.)*")\s*:\s*$')


def stream_members(path: str | Path) -> Iterator[Element]:
    """Every member of the object, or element of the list, that `path` holds, in file order.

    `key` is the member's key, or the element's number as text. Memory holds one member and one
    chunk.

    Raises:
        ValueError: the file is truncated, or holds neither; it names the file and the byte.
    """
    with opened(path) as file:
        yield from _Members(file, str(path)).members()


class MemberIndex:
    """Where every member of a document stands; 16 bytes each and nothing of what they say."""

    def __init__(self, path: Path, *, listed: bool = False) -> None:
        """`listed`: the document is a list, or one object a line, and has no keys."""
        self.path = path
        spans = array("q")  # byte offsets, start and end by turns
        for element in stream_list(path) if listed else stream_members(path):
            spans.extend((element.start, element.end))
        with opened(path) as file:
            self._keyed = not listed and _Reader(file, str(path)).opens_with() == "{"
        self.spans: NDArray[np.int64] = np.array(spans, dtype=np.int64).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self.spans)

    def read(self, row: int) -> tuple[str, Any]:
        """A member's key, empty in a list, and its value."""
        start, end = self.spans[row].tolist()
        with self.path.open("rb") as file:
            file.seek(max(0, start - _LONGEST_KEY))
            before = file.read(min(start, _LONGEST_KEY))
            key = _KEY.search(before)
            if key is None and self._keyed:
                raise ValueError(f"{self.where(row)}: its key is longer than {_LONGEST_KEY} bytes")
            name = "" if key is None else str(json.loads(key[1]))
            return name, read_element(file, start, end)

    def where(self, row: int) -> str:
        """File and byte of a member, for messages."""
        return f"{self.path}: entry at byte {self.spans[row][0]}"


class KeyedMembers:
    """The members of one long object by their keys, which are kept in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._spans: dict[str, tuple[int, int]] = {}
        for element in stream_members(path):
            if element.key in self._spans:
                raise ValueError(f"{path}: byte {element.start}: {element.key!r} occurs twice")
            self._spans[element.key] = (element.start, element.end)

    def __len__(self) -> int:
        return len(self._spans)

    def read(self, key: str) -> Any:
        """A member's value; None: there is none of that key."""
        if key not in self._spans:
            return None
        with self.path.open("rb") as file:
            return read_element(file, *self._spans[key])

    def where(self, key: str) -> str:
        """File and byte of a member, for messages."""
        return f"{self.path}: entry at byte {self._spans[key][0]}"


class _Members(_Reader):
    def members(self) -> Iterator[Element]:
        first = self.opens_with()
        if first not in ("{", "["):
            raise self._broken(f"expected an object or a list, found {first!r}")
        if first == "[":
            for number, element in enumerate(self.list_elements()):
                yield Element(str(number), element.value, element.start, element.end)
            return
        for key in self.keys():
            yield Element(key, *self._value())
