"""Read the arrays of a large JSON document element by element, and where each one stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple

from seal.files.plain_text import not_utf8, opened

_BLANK = re.compile(r"[ \t\r\n]*")
_BEHIND = frozenset(",]}: \t\r\n")  # what may follow a value
_CHUNK = 1 << 20  # bytes read at once
_LONGEST = 1 << 28  # bytes of one element; what is longer is taken for a broken file
_LISTS = ("images", "annotations", "categories", "licenses")  # of COCO's form
_NOTHING: tuple[Any, ...] = (None, "", {})  # may stand for an empty one
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_HALF = re.compile("[\ud800-\udfff]")


class Element(NamedTuple):  # made tens of millions of times: a dataclass takes longer
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
    with opened(path) as file:
        yield from _Reader(file, str(path)).elements()


def read_element(file: IO[bytes], start: int, end: int, *, halves: bool = False) -> Any:
    """The element at bytes `start` to `end` of an open file, which was streamed before.

    Raises:
        ValueError: half of a surrogate pair is escaped in it, which no file in UTF-8 can hold.
            With `halves` the caller sees to that.
    """
    file.seek(start)
    raw = file.read(end - start)
    value = json.loads(raw.decode("utf-8"))
    return value if halves else _whole(value, raw, file.name, start)


def read_json(path: str | Path) -> Any:
    """The whole of a small document.

    Raises:
        ValueError: the file is not JSON in UTF-8, or half of a surrogate pair is escaped in it.
    """
    with opened(path) as file:
        raw = file.read()
    # A value ends where something else stands.
    value = _Reader(BytesIO(raw + b"\n"), str(path)).only_value()
    return _whole(value, raw, str(path), 0)


def _whole(value: Any, raw: bytes, name: str, start: int) -> Any:
    """`value`, read from `raw`, if it has no half of a surrogate pair."""
    if _SURROGATE.search(raw) and (half := _HALF.search(json.dumps(value, ensure_ascii=False))):
        raise ValueError(f"{name}: byte {start}: {half[0]!r} is half of a surrogate pair")
    return value


class _Reader:
    """A window on the file. One character of it is one byte, so that places are byte offsets."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._text = ""
        self._ascii = True  # the whole window
        self._begin = file.tell()  # byte of the file at which the window begins
        self._at = 0  # in the window
        self._tail = ""  # stands behind the end of the file
        self._decoder = json.JSONDecoder()

    def opens_with(self) -> str:
        """The mark that the outermost value begins with."""
        return self._next()

    def elements(self) -> Iterator[Element]:
        if self._next() == "[":
            raise self._no_object()
        seen = set()
        for key in self.keys():
            if key in seen:
                raise self._broken(f"key {key[:40]!r} occurs twice")
            seen.add(key)
            if self._next() == "[":
                yield from self._array(key)
            elif self._value()[0] not in _NOTHING and key in _LISTS:
                raise self._broken(f"{key!r} must be a list")

    def _no_object(self) -> ValueError:
        """What to say of a list where annotations are due; detectors write their results so."""
        first = next(self.list_elements(), None)
        entry = None if first is None else first.value
        if isinstance(entry, dict) and {"image_id", "score"} <= entry.keys():
            kind = "a list of detection results (each with a score), not annotations; name the file"
            return ValueError(f"{self._name}: byte 0: {kind} of annotations they were made for")
        return ValueError(
            f"{self._name}: byte 0: expected an object with lists such as 'images' and "
            "'annotations' (COCO's form), found a list; is it the right file?"
        )

    def keys(self) -> Iterator[str]:
        """The keys of the outermost object; whoever is given one reads its value."""
        self._expect("{")
        if self._next() == "}":
            self._at += 1
            return self._finish()
        while True:
            key = self._value()[0]
            if not isinstance(key, str):
                raise self._broken(f"a key must be text, found {str(key)[:40]!r}")
            self._expect(":")
            yield key
            if not self._another("}"):
                return self._finish()

    def list_elements(self) -> Iterator[Element]:
        """The elements of the outermost list."""
        yield from self._array("")
        self._finish()

    def lines(self) -> Iterator[Element]:
        """The objects of a file that has one on each line (JSON lines)."""
        self._tail = "\n"  # which the last line may lack
        while True:
            value, start, end = self._value()
            yield Element("", value, start, end)
            if (between := self._skip_blank()) is None:
                return
            if "\n" not in between or self._text[self._at] != "{":
                raise self._broken(f"expected one object a line, found {self._text[self._at]!r}")

    def only_value(self) -> Any:
        """The outermost value."""
        value = self._value()[0]
        self._finish()
        return value

    def _skip_blank(self) -> str | None:
        """The blanks up to what comes next; None: nothing comes."""
        passed = ""
        while True:
            blank = _BLANK.match(self._text, self._at)
            assert blank is not None
            passed += blank[0]
            self._at = blank.end()
            if self._at < len(self._text):
                return passed
            if not self._more():
                return None

    def _finish(self) -> None:
        """Nothing may follow the outermost value: what does was meant to be read."""
        if self._skip_blank() is not None:
            found = self._text[self._at]
            lines = "; one document a line (JSON lines)?" if found in "{[" else ""
            raise self._broken(f"expected nothing more, found {found!r}{lines}")

    def _array(self, key: str) -> Iterator[Element]:
        self._expect("[")
        if self._next() == "]":
            self._at += 1
            return
        while True:
            yield from self._whole_in_window(key)
            value, start, end = self._value()
            yield Element(key, value, start, end)
            if not self._another("]"):
                return

    def _whole_in_window(self, key: str) -> Iterator[Element]:
        """The next elements that lie in the window with the comma behind them; errors wait.

        What `_array` does without this, a little faster.
        """
        self._next()
        text, begin, at, decode = self._text, self._begin, self._at, self._decoder.raw_decode
        while True:
            try:
                value, end = decode(text, at)
                if text[end : end + 1] != ",":
                    break
                if not self._ascii:
                    value = _read_as_utf8(text[at:end], value)
            except (ValueError, RecursionError):
                break
            yield Element(key, value, begin + at, begin + end)
            blank = _BLANK.match(text, end + 1)
            assert blank is not None
            at = blank.end()
        self._at = at

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
                # A number that the window cuts off would be read as a shorter one.
                if self._text[end : end + 1] in _BEHIND:
                    start = self._at
                    value = _read_as_utf8(self._text[start:end], value)
                    self._at = end
                    return value, self._begin + start, self._begin + end
            except json.JSONDecodeError as error:
                problem = error.msg
            except UnicodeDecodeError as error:
                raise self._broken(not_utf8(error)) from error
            except RecursionError as error:
                raise self._broken("nested too deep") from error
            except ValueError as error:  # a number of more digits than Python converts
                raise self._broken(str(error)) from error
            if len(self._text) - self._at > _LONGEST or not self._more():
                raise self._broken(problem)

    def _more(self) -> bool:
        """Widen the window, forgetting what was read; False at the end of the file."""
        # At least as much again: reading one long element stays linear.
        rest = len(self._text) - self._at
        chunk = self._file.read(max(_CHUNK, rest))
        self._text = self._text[self._at :] + chunk.decode("latin-1")
        self._ascii = self._text.isascii()
        self._begin += self._at
        self._at = 0
        if not chunk:
            chunk, self._tail = self._tail.encode(), ""
            self._text += chunk.decode()
        return bool(chunk)

    def _broken(self, problem: str) -> ValueError:
        return ValueError(
            f"{self._name}: byte {self._begin + self._at}: {problem}; is the file complete?"
        )


def _read_as_utf8(text: str, value: Any) -> Any:
    """The value of a text whose characters are bytes; `value` is right if they are ASCII."""
    return value if text.isascii() else json.loads(text.encode("latin-1"))
