"""Cue heat out of what a detector says: of its grid of class scores, or of its scored boxes."""

from __future__ import annotations

import numpy as np

from seal.search.heatmap import GridHeat

CELLS = 32  # along the longer side of a map made of boxes
MOST_BOXES = 200  # the surest that a map is made of


def grid_heat(
    scores: np.ndarray, width: int, height: int, frame: tuple[int, int] | None = None
) -> GridHeat:
    """Heat of a patch of width x height pixels from scores in [0, 1] on a grid over `frame`.

    scores: (rows, columns). frame: (width, height) in patch pixels of what the grid lies over, the
    patch at its upper left; what lies beyond the patch is cut off.
    """
    across, down = frame or (width, height)
    cut = _cut(_cut(scores, height / down).T, width / across).T
    return GridHeat(cut, width, height, peak=float(cut.max()))


def box_heat(boxes: np.ndarray, scores: np.ndarray, width: int, height: int) -> GridHeat:
    """Heat of a patch from boxes in patch pixels: a cell has the best score of a box over it, less
    where the box covers only a part of the cell.

    boxes: (N, 4) xyxy. scores: (N,) in [0, 1].
    """
    longest = max(width, height)
    rows = max(1, round(CELLS * height / longest))
    columns = max(1, round(CELLS * width / longest))
    if not len(boxes):
        return GridHeat(np.zeros((rows, columns)), width, height)
    best = np.argsort(-scores, kind="stable")[:MOST_BOXES]
    across = _covered(boxes[best, 0], boxes[best, 2], width, columns)  # (N, columns)
    down = _covered(boxes[best, 1], boxes[best, 3], height, rows)  # (N, rows)
    heat = (scores[best, None, None] * down[:, :, None] * across[:, None, :]).max(0)
    return GridHeat(heat, width, height, peak=float(scores.max()))


def _cut(grid: np.ndarray, share: float) -> np.ndarray:
    """The upper `share` of the rows, as whole rows again: each the mean of what lies under it."""
    if share >= 1:
        return grid
    wanted = share * len(grid)  # in rows, of which the last may be a part
    edges = np.linspace(0, wanted, max(1, round(wanted)) + 1)
    whole = np.arange(len(grid) + 1)
    low, high = np.maximum(edges[:-1, None], whole[:-1]), np.minimum(edges[1:, None], whole[1:])
    weights = np.clip(high - low, 0, None)  # (rows made, rows given)
    mean: np.ndarray = weights @ grid / weights.sum(1, keepdims=True)
    return mean


def _covered(low: np.ndarray, high: np.ndarray, length: int, cells: int) -> np.ndarray:
    """(N, cells): the share of each of `cells` equal parts of a length inside [low, high]."""
    edges = np.linspace(0, length, cells + 1)
    inside = np.minimum(high[:, None], edges[1:]) - np.maximum(low[:, None], edges[:-1])
    covered: np.ndarray = np.clip(inside, 0, None) * cells / length
    return covered
