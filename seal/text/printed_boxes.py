"""Read the boxes that a vision-language model printed, in whichever of the usual forms.

What the numbers mean is not read off them: `Frame` says it.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from seal.geometry import Box
from seal.text.prompts import without_article
from seal.text.thinking import without_thinking

LONGEST_ANSWER = 20_000  # characters that are read
_DEPTH = 3  # objects around a box in which its label is looked for
ORDERS = ("xyxy", "yxyx")  # the latter: Gemini's

_N = r"\s*([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*"
_FOUR = rf"{_N},{_N},{_N},{_N}"
# Four numbers in brackets, or two corners in brackets of their own.
_LISTED = re.compile(rf"\[{_FOUR}\]|\({_FOUR}\)")
_CORNERS = re.compile(rf"\({_N},{_N}\)\s*,?\s*\({_N},{_N}\)|\[{_N},{_N}\]\s*,\s*\[{_N},{_N}\]")
_TAGGED = re.compile(rf"<(?:\|)?box(?:_start\|)?>{_N}[,\s]{_N}[,\s]{_N}[,\s]{_N}<", re.IGNORECASE)
_ALONE = re.compile(rf"{_FOUR}\.?")
_OBJECT = re.compile(r"\{[^{}]*\}")
_NUMBERED = re.compile(rf"\b([a-z][a-z0-9_ ]{{0,20}})['\"]?\s*[:=]{_N}(?=[,}}\n])", re.IGNORECASE)
_LABEL = re.compile(
    r"['\"]?\b(?:label|name|object|class|category|text|description)['\"]?\s*[:=]\s*"
    r"(?:\"([^\"\n]*)\"|'([^'\n]*)')",
    re.IGNORECASE,
)
_REFERRED = re.compile(
    r"<ref>([^<]{0,200})</ref>|<\|object_ref_start\|>([^<]{0,200})<\|object_ref_end\|>",
    re.IGNORECASE,
)
# Names of two corners, or of a corner and a size; spaces and underscores do not count.
_CORNER_KEYS = (
    ("x0", "y0", "x1", "y1"),
    ("x1", "y1", "x2", "y2"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("left", "top", "right", "bottom"),
)
_SIZE_KEYS = (
    ("x", "y", "width", "height"),
    ("x", "y", "w", "h"),
    ("left", "top", "width", "height"),
)


@dataclass(frozen=True, slots=True)
class PrintedBox:
    """Four numbers as they were printed, and what they were said to be of ("" if nothing)."""

    numbers: tuple[float, float, float, float]
    label: str = ""
    named: bool = False  # the numbers have names: they are x0, y0, x1, y1, whatever the order


@dataclass(frozen=True, slots=True)
class Frame:
    """What printed numbers mean: `width` and `height` are the numbers of the lower right corner.

    That is the size in pixels of the picture that the model was given, (1000, 1000) or (1, 1).
    """

    width: float
    height: float
    order: str = "xyxy"

    def __post_init__(self) -> None:
        if not (self.width > 0 and self.height > 0):
            raise ValueError(f"a frame has a width and a height, got {self.width} x {self.height}")
        if self.order not in ORDERS:
            raise ValueError(f"order={self.order!r} is none of {', '.join(ORDERS)}")

    def to_pixels(self, printed: PrintedBox, width: float, height: float) -> Box | None:
        """The box in a picture of width x height pixels, cut at its border.

        Corners may come in any order. None: nothing of the box lies inside.
        """
        a, b, c, d = printed.numbers
        if self.order == "yxyx" and not printed.named:
            a, b, c, d = b, a, d, c
        if not all(map(math.isfinite, (a, b, c, d))):
            return None
        (x0, x1), (y0, y1) = sorted((a, c)), sorted((b, d))
        left, right = (min(max(x / self.width, 0.0), 1.0) * width for x in (x0, x1))
        top, bottom = (min(max(y / self.height, 0.0), 1.0) * height for y in (y0, y1))
        if not (right > left and bottom > top):
            return None
        return Box(left, top, right, bottom)


def parse_boxes(text: str) -> list[PrintedBox]:
    """Every box in an answer, in order, each once; [] where none is printed. Never raises.

    Read are lists of four numbers, pairs of corners, objects whose numbers have names, and
    `<box>` with bare numbers, in JSON or not: code fences, single quotes, a broken end and words
    around them do not matter. A box that is broken off is none: its last number may lack digits.
    Thoughts are skipped. Special tokens may be there or have been dropped.
    """
    said = without_thinking(text[:LONGEST_ANSWER])
    if (alone := _ALONE.fullmatch(said.strip())) is not None:
        return [PrintedBox(_four(alone))]
    found = [
        (match.start(), PrintedBox(_four(match)))
        for pattern in (_LISTED, _CORNERS, _TAGGED)
        for match in pattern.finditer(said)
    ]
    for match in _OBJECT.finditer(said):
        if (numbers := _by_name(match.group())) is not None:
            found.append((match.start(), PrintedBox(numbers, named=True)))
    found.sort(key=lambda item: item[0])
    label_of = _Labels(said)
    boxes = [replace(box, label=label_of(start)) for start, box in found]
    return list(dict.fromkeys(boxes))


def boxes_of(boxes: Sequence[PrintedBox], target: str) -> list[PrintedBox]:
    """Those whose label shares a word with `target`; all where no label does or none is told.

    A model that was asked for one thing sometimes lists all that it sees, and often calls what it
    was asked for by a name of its own.
    """
    words = _words(without_article(target))
    ours = [box for box in boxes if words & _words(box.label)]
    return ours or list(boxes)


class _Labels:
    """What the box at a place of a text is said to be of: by its object, or by what goes before."""

    def __init__(self, text: str) -> None:
        self._marks: list[int] = []  # where objects open and close,
        self._object: list[int] = []  # and which is open behind each mark, -1 for none
        parents: list[int] = []
        current = -1
        for mark in re.finditer(r"[{}]", text):
            if mark.group() == "{":
                parents.append(current)
                current = len(parents) - 1
            elif current >= 0:
                current = parents[current]
            self._marks.append(mark.start())
            self._object.append(current)
        self._named: dict[int, str] = {}
        for label in _LABEL.finditer(text):
            self._named.setdefault(self._around(label.start()), label.group(1) or label.group(2))
        self._parents = parents
        self._referred = [(m.end(), m.group(1) or m.group(2)) for m in _REFERRED.finditer(text)]

    def __call__(self, start: int) -> str:
        inside = self._around(start)
        for _ in range(_DEPTH):
            if inside < 0:
                break
            if inside in self._named:
                return (self._named[inside] or "").strip()
            inside = self._parents[inside]
        number = bisect_right(self._referred, start, key=lambda item: item[0])
        return (self._referred[number - 1][1] or "").strip() if number else ""

    def _around(self, place: int) -> int:
        number = bisect_right(self._marks, place)
        return self._object[number - 1] if number else -1


def _four(match: re.Match[str]) -> tuple[float, float, float, float]:
    a, b, c, d = (float(number) for number in match.groups() if number is not None)
    return a, b, c, d


def _by_name(text: str) -> tuple[float, float, float, float] | None:
    """The box of an object whose numbers have names."""
    values = {
        re.sub(r"[ _]", "", m.group(1)).lower(): float(m.group(2)) for m in _NUMBERED.finditer(text)
    }
    for keys in _CORNER_KEYS:
        if all(key in values for key in keys):
            x0, y0, x1, y1 = (values[key] for key in keys)
            return x0, y0, x1, y1
    for keys in _SIZE_KEYS:
        if all(key in values for key in keys):
            x, y, width, height = (values[key] for key in keys)
            return x, y, x + width, y + height
    return None


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
