"""Silhouettes of the tiny world's objects, as small antialiased masks."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_FINE = 8  # drawn this many times larger, then averaged

# Corners on a unit square, y down.
OUTLINES: dict[str, tuple[tuple[float, float], ...]] = {
    "square": ((0.06, 0.06), (0.94, 0.06), (0.94, 0.94), (0.06, 0.94)),
    "diamond": ((0.5, 0), (1, 0.5), (0.5, 1), (0, 0.5)),
    "triangle": ((0.5, 0), (1, 1), (0, 1)),
    "hull": ((0, 0.08), (1, 0.08), (0.72, 0.92), (0.28, 0.92)),
    "cross": (
        (0.32, 0), (0.68, 0), (0.68, 0.32), (1, 0.32), (1, 0.68), (0.68, 0.68),
        (0.68, 1), (0.32, 1), (0.32, 0.68), (0, 0.68), (0, 0.32), (0.32, 0.32),
    ),
    "saltire": (
        (0.22, 0), (0.5, 0.28), (0.78, 0), (1, 0.22), (0.72, 0.5), (1, 0.78),
        (0.78, 1), (0.5, 0.72), (0.22, 1), (0, 0.78), (0.28, 0.5), (0, 0.22),
    ),
    "arrow": (
        (0.5, 0), (1, 0.5), (0.72, 0.5), (0.72, 1), (0.28, 1), (0.28, 0.5), (0, 0.5),
    ),
    "hourglass": ((0, 0), (1, 0), (0.68, 0.5), (1, 1), (0, 1), (0.32, 0.5)),
    "ladder": (
        (0, 0), (0.28, 0), (0.28, 0.34), (0.72, 0.34), (0.72, 0), (1, 0),
        (1, 1), (0.72, 1), (0.72, 0.66), (0.28, 0.66), (0.28, 1), (0, 1),
    ),
    "tee": (
        (0, 0), (1, 0), (1, 0.32), (0.69, 0.32), (0.69, 1), (0.31, 1), (0.31, 0.32), (0, 0.32),
    ),
}  # fmt: skip
DISC = "disc"  # no object's: only distractors are round


@cache
def silhouette(shape: str, size: int) -> NDArray[np.float32]:
    """(h, w) coverage in [0, 1] of a shape drawn on a square of `size` pixels, cut to its box."""
    side = size * _FINE
    canvas = Image.new("L", (side, side))
    draw = ImageDraw.Draw(canvas)
    if shape == DISC:
        draw.ellipse((0, 0, side - 1, side - 1), fill=255)
    else:
        draw.polygon([(x * (side - 1), y * (side - 1)) for x, y in OUTLINES[shape]], fill=255)
    fine = np.asarray(canvas, dtype=np.float32) / 255
    coverage = fine.reshape(size, _FINE, size, _FINE).mean((1, 3))
    seen = coverage > 0.25
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    return coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
