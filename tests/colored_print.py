"""Print that a test draws as colored cells, and a reader of it: exact, cut where tiles cut it."""

from __future__ import annotations

import itertools

import numpy as np
from PIL import Image
from scipy import ndimage

from seal.inference.guides.read_lines import Line

_INK = 200  # of the blue channel; red is the letter, green its place in the line


def blank(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height))


def put(image: Image.Image, text: str, x: int, y: int, size: int = 16) -> tuple[int, ...]:
    """Draw a line, `size` pixels high, a letter half as wide; its box (x0, y0, x1, y1)."""
    for place, letter in enumerate(text):
        left = x + place * size // 2
        image.paste((ord(letter), place + 1, _INK), (left, y, left + size // 2, y + size))
    return x, y, x + len(text) * size // 2, y + size


class CellReader:
    """Reads letters at least half of which is there; none that are less than 4 pixels wide."""

    name = "cells"

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []  # of the pictures it was given

    def read(self, picture: Image.Image) -> list[Line]:
        self.sizes.append(picture.size)
        cells = np.asarray(picture)
        lines = []
        labels, _ = ndimage.label(cells[..., 2] == _INK)
        for rows, columns in ndimage.find_objects(labels):
            row = cells[(rows.start + rows.stop) // 2, columns, :2].astype(int)
            least = max((rows.stop - rows.start) / 4, 4)
            starts = [0, *(np.flatnonzero((np.diff(row, axis=0) != 0).any(1)) + 1), len(row)]
            text = "".join(
                chr(row[a, 0])
                for a, b in itertools.pairwise(starts)
                if b - a >= least and row[a, 1] > 0
            )
            if text:
                x0, x1, y0, y1 = columns.start, columns.stop, rows.start, rows.stop
                corners = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]]
                lines.append(Line(text, np.array(corners, np.float32), 0.9))
        return lines
