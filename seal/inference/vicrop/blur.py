"""A 3 x 3 Gaussian, for what a picture has of detail and for maps with stray cells."""

from __future__ import annotations

from typing import Literal

import numpy as np


def blurred(values: np.ndarray, sigma: float) -> np.ndarray:
    """The same shape: a 3 x 3 Gaussian over the last two axes, mirrored at the border."""
    side = np.exp(-0.5 / np.float32(sigma) ** 2)
    weights = np.array([side, 1, side], np.float32) / np.float32(1 + 2 * side)
    for axis in (-2, -1):
        around = [(0, 0)] * values.ndim
        around[axis] = (1, 1)
        # Without the border pixel itself; an axis of one pixel has nothing to mirror.
        mode: Literal["reflect", "edge"] = "reflect" if values.shape[axis] > 1 else "edge"
        padded = np.moveaxis(np.pad(values, around, mode=mode), axis, 0)
        parts = (padded[:-2] * weights[0], padded[1:-1] * weights[1], padded[2:] * weights[2])
        values = np.moveaxis(parts[0] + parts[1] + parts[2], 0, axis)
    return values
