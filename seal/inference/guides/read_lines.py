"""Lines of print on a picture of any size: read tile by tile, joined where tiles cut them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cached_property
from typing import Protocol

import numpy as np
from PIL import Image

from seal.geometry import Box
from seal.images import cut
from seal.inference.guides.image_tiles import image_tiles

_EDGE = 2  # pixels from a border at which print is taken to go on beyond it


@dataclass(frozen=True)  # without slots: what every line is compared by is computed once
class Line:
    """A line that was read."""

    text: str
    corners: np.ndarray  # (4, 2) xy float32: top left of the print, then clockwise; image pixels
    score: float  # in [0, 1]: how sure the reader is of the letters
    cut_left: bool = False  # it went on where the tile ended
    cut_right: bool = False

    @cached_property
    def box(self) -> Box:
        low, high = self.corners.min(0).tolist(), self.corners.max(0).tolist()
        return Box(*low, *high)

    @property
    def is_upright(self) -> bool:
        """Whether its letters follow each other along its corners' first side."""
        return bool(_length(self.corners[0], self.corners[1]) * 1.5 > self.height)

    @cached_property
    def height(self) -> float:
        """Of the letters, in pixels."""
        return _length(self.corners[0], self.corners[3])

    def part(self, start: float, end: float) -> Box:
        """The box of a part of it, from and to a fraction of its length."""
        if not self.is_upright:  # turned by a quarter: which end is first is not known
            return self.box
        top_left, top_right, bottom_right, bottom_left = self.corners
        along = np.array([start, end])[:, None]
        top = top_left + along * (top_right - top_left)
        bottom = bottom_left + along * (bottom_right - bottom_left)
        both = np.concatenate([top, bottom])
        return Box(*both.min(0).tolist(), *both.max(0).tolist())


class LineReader(Protocol):
    """Finds and reads lines on a picture that it can take whole."""

    name: str

    def read(self, picture: Image.Image) -> list[Line]:
        """Its lines, in pixels of the picture."""
        ...


def read_page(
    reader: LineReader, image: Image.Image, *, tile: int, overlap: float, most_tiles: int
) -> list[Line]:
    """All lines of an image, small print from tiles at full size, large print from the whole.

    Each place is told once: of two readings the one that no tile cut, else the surer one. Halves
    that both were cut are joined.
    """
    if max(image.size) <= tile:
        return reader.read(image)
    found: list[Line] = []
    for box in image_tiles(
        *image.size, side=tile, overlap=overlap, most=most_tiles, least=tile
    ):  # fmt: skip
        x0, y0, x1, y1 = box.as_ints()
        for line in reader.read(cut(image, (x0, y0, x1, y1))):
            part = line.box
            above, below = y0 > 0 and part.y0 < _EDGE, y1 < image.height
            if above or (below and part.y1 > y1 - y0 - _EDGE):
                continue  # half a line, whole in the next tile or, if it is large, in the whole
            edge = line.height / 2  # readers leave out half a letter
            found.append(
                replace(
                    line,
                    corners=line.corners + np.array([x0, y0], np.float32),
                    cut_left=x0 > 0 and part.x0 <= edge,
                    cut_right=x1 < image.width and part.x1 >= x1 - x0 - edge,
                )
            )
    found += _read_whole(reader, image, tile)
    return merge_lines(found)


def merge_lines(lines: Sequence[Line]) -> list[Line]:
    """Each line once, from the top down; of equally sure readings the first."""
    whole = [line for line in lines if not (line.cut_left or line.cut_right)]
    kept: list[Line] = []
    for line in sorted(whole, key=lambda line: -line.score):
        if not any(_same_place(line, other) for other in kept):
            kept.append(line)
    halves = [line for line in lines if line.cut_left or line.cut_right]
    for line in sorted(_joined(halves), key=lambda line: -len(line.text)):
        if not any(_same_place(line, other) for other in kept):
            kept.append(line)
    return sorted(kept, key=lambda line: (line.box.y0, line.box.x0))


def _read_whole(reader: LineReader, image: Image.Image, longest: int) -> list[Line]:
    """Its lines when it is shown with `longest` pixels on its longer side."""
    scale = longest / max(image.size)
    size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
    small = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    back = np.array([image.width / size[0], image.height / size[1]], np.float32)
    return [replace(line, corners=line.corners * back) for line in reader.read(small)]


def _same_place(line: Line, other: Line) -> bool:
    """Whether the smaller of two lines lies mostly on the other, with letters of one size."""
    a, b = line.box, other.box
    wide = max(0.0, min(a.x1, b.x1) - max(a.x0, b.x0))
    high = max(0.0, min(a.y1, b.y1) - max(a.y0, b.y0))
    smaller = min(a.area, b.area)
    alike = 0.5 < line.height / max(other.height, 1e-6) < 2
    return alike and wide * high > 0.5 * smaller


def _joined(halves: Sequence[Line]) -> list[Line]:
    """Lines cut at the right with what goes on in the tile beside, from the left on."""
    rest = sorted(halves, key=lambda line: (line.box.x0, line.box.y0))
    done: list[Line] = []
    while rest:
        line = rest.pop(0)
        while line.cut_right:
            going_on = [
                other
                for other in rest
                if other.cut_left and _goes_on(line, other) and other.box.x1 > line.box.x1
            ]
            if not going_on:
                break
            rest.remove(going_on[0])
            line = _join(line, going_on[0])
        done.append(line)
    return done


def _goes_on(left: Line, right: Line) -> bool:
    """Whether two boxes overlap sideways, at one height."""
    a, b = left.box, right.box
    high = min(a.y1, b.y1) - max(a.y0, b.y0)
    return b.x0 < a.x1 and a.x0 < b.x0 and high > 0.6 * min(a.height, b.height)


def _join(left: Line, right: Line) -> Line:
    shared = max(left.box.x1 - right.box.x0, 0.0)
    tail = _letters_within(left, shared)
    head = _letters_within(right, shared)
    start = len(left.text) - tail
    found = SequenceMatcher(None, left.text[start:], right.text[:head], False).find_longest_match()
    if found.size >= 2:
        text = left.text[: start + found.a] + right.text[found.b :]
    else:  # nothing agrees: each reads its half of what both saw
        text = left.text[: len(left.text) - tail // 2] + right.text[head // 2 :]
    corners = np.stack(
        [left.corners[0], right.corners[1], right.corners[2], left.corners[3]]
    ).astype(np.float32)
    return Line(text, corners, min(left.score, right.score), left.cut_left, right.cut_right)


def _letters_within(line: Line, pixels: float) -> int:
    """About how many of its letters, and a few more, lie within so many pixels of an end."""
    share = pixels / max(line.box.width, 1e-6)
    return min(round(share * len(line.text)) + 3, len(line.text))


def _length(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.hypot(*(a - b)))
