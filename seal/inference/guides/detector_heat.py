"""Cue heat out of class scores that stand on a grid over the picture a detector was shown."""

from __future__ import annotations

import numpy as np

from seal.search.heatmap import GridHeat


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
