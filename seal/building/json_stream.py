"""Read the arrays of a large JSON document element by element, and where each one stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_BLANK = re.compile(r"[ \t\r\n]*")
_BEHIND = frozenset(",]}: \t\r\n")  # what may follow a value
_CHUNK = 1 << 20  # bytes read at once
_LONGEST = 1 << 28  # bytes of one element; what is longer is taken for a broken file


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a top-level array, at bytes `start` to `end` of the file."""

    key: str
    value: Any
    start: int
    end: int


def stream_arrays(path: str | Path) -> Iterator[Element]:
    """Every element of every array of the object in `path`, in file order.

    Other members of the object are skipped. Memory holds one element and one chunk.

    Raises:
        ValueError: the file is truncated or not JSON; it names the file and the byte.
    """
    with Path(path).open("rb") as file:
        yield from _Reader(file, str(path)).elements()


def read_element(file: IO[bytes], start: int, end: int) -> Any:
    """The element at bytes `start` to `end` of an open file."""
    file.seek(start)
    return json.loads(file.read(end - start))


class _Reader:
    """A window on the file. One character of it is one byte, so that places are byte offsets."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._text = ""
        self._begin = 0  # byte of the file at which the window begins
        self._at = 0  # in the window
        self._ended = False
        self._decoder = json.JSONDecoder()

    def elements(self) -> Iterator[Element]:
        self._expect("{")
        if self._next() == "}":
            return
        while True:
            key = self._value()[0]
            self._expect(":")
            if self._next() == "[":
                yield from self._array(key)
            else:
                self._value()
            if not self._another("}"):
                return

    def _array(self, key: str) -> Iterator[Element]:
        self._expect("[")
        if self._next() == "]":
            self._at += 1
            return
        while True:
            value, start, end = self._value()
            yield Element(key, value, start, end)
            if not self._another("]"):
                return

    def _another(self, last: str) -> bool:
        """Step over a comma, or over `last`."""
        mark = self._next()
        if mark not in (",", last):
            raise self._broken(f"expected ',' or {last!r}, found {mark!r}")
        self._at += 1
        return mark == ","

    def _expect(self, mark: str) -> None:
        found = self._next()
        if found != mark:
            raise self._broken(f"expected {mark!r}, found {found!r}")
        self._at += 1

    def _next(self) -> str:
        """The next character that is not blank, not stepped over."""
        while True:
            match = _BLANK.match(self._text, self._at)
            assert match is not None
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                raise self._broken("the file ends too early")

    def _value(self) -> tuple[Any, int, int]:
        """The next value and the bytes it stands at."""
        self._next()
        while True:
            problem = "the file ends too early"
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                problem = error.msg
            else:
                # A number that the window cuts off would be read as a shorter one.
                if self._text[end : end + 1] in _BEHIND:
                    start, self._at = self._at, end
                    text = self._text[start:end]
                    if not text.isascii():
                        value = json.loads(text.encode("latin-1"))
                    return value, self._begin + start, self._begin + end
            if len(self._text) - self._at > _LONGEST or not self._more():
                raise self._broken(problem)

    def _more(self) -> bool:
        """Widen the window, forgetting what was read; False at the end of the file."""
        # At least as much again: reading one long element stays linear.
        rest = len(self._text) - self._at
        chunk = self._file.read(max(_CHUNK, rest))
        self._text = self._text[self._at :] + chunk.decode("latin-1")
        self._begin += self._at
        self._at = 0
        return bool(chunk)

    def _broken(self, problem: str) -> ValueError:
        return ValueError(
            f"{self._name}: byte {self._begin + self._at}: {problem}; is the file complete?"
        )
