"""Boxes as a heat map: what a guide that gives boxes and nothing else can say of a patch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seal.geometry import Box
from seal.search.heatmap import GridHeat

CELLS = 64  # along a side of a patch


def box_heat(boxes: Sequence[Box], scores: Sequence[float], width: int, height: int) -> GridHeat:
    """Every box as hot as its score, within a patch of width x height pixels.

    Its peak is the best score; without boxes it is cold everywhere, and its peak 0.
    """
    columns, rows = min(CELLS, width), min(CELLS, height)
    x, y = np.arange(columns + 1) * width / columns, np.arange(rows + 1) * height / rows
    grid = np.zeros((rows, columns))
    for box, score in zip(boxes, scores, strict=True):
        covered = _overlap(y, box.y0, box.y1)[:, None] * _overlap(x, box.x0, box.x1)
        # A box smaller than a cell is as hot as a large one, and covers one cell.
        grid = np.maximum(grid, score * covered / max(float(covered.max()), 1e-12))
    return GridHeat(grid, width, height, max(scores, default=0.0))


def _overlap(edges: np.ndarray, low: float, high: float) -> np.ndarray:
    """Length of [low, high] inside each interval between consecutive edges."""
    return np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None)
