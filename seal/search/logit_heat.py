"""Heat of a patch of any size, measured at the resolution of the mask logits behind it.

Between four neighbouring logits the resized map is bilinear. So its sums over pixels are closed
formulas, its extremes lie at the first and last pixels between two logits, and nothing needs the
map itself, which for a large photograph takes hundreds of megabytes. Must agree with
`seal.search.heatmap.NumpyHeat` of the map that `seal.ops.maps.resized_map` makes, clamped at 0; the
tolerance is in the test.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seal.geometry import Box
from seal.search.logit_cells import Axis, block_masses, distinct, resized_axis

BAND_PIXELS = 1 << 20  # of the full map, made together


class LogitHeat:
    """Mask logits of a patch; sums and extremes are of their map resized to the patch's pixels."""

    def __init__(
        self,
        logits: np.ndarray,
        width: int,
        height: int,
        extent: tuple[float, float] = (1.0, 1.0),
        precision: str = "float32",
    ) -> None:
        """logits: (h, w) of a square of which a patch of width x height pixels takes `extent`.

        `extent` is the share of the square's width and height, from the top left corner. Keeps a
        float32 copy. `precision`: what the model computed in, for the message about numbers that
        are not finite, which `peak` and `shares` raise as a FloatingPointError.
        """
        self._logits = np.array(logits, dtype=np.float32)
        self.width, self.height = width, height
        self._extent = extent
        self._precision = precision
        self._extremes: tuple[float, float] | None = None
        self._total: float | None = None

    def peak(self) -> float:
        return self._measured()[1]

    def shares(self, regions: Sequence[Box]) -> list[float]:
        if not regions:
            return []
        low, high = self._measured()
        # A constant map normalizes to zeros; resizing leaves it constant but for rounding.
        if high - low <= 1e-6 * high:
            return [0.0] * len(regions)
        boxes = np.array([region.as_ints() for region in regions]).reshape(-1, 4)
        boxes = boxes.clip(0, [self.width, self.height] * 2)
        columns, rows = distinct(boxes[:, ::2]), distinct(boxes[:, 1::2])
        masses = self._masses(rows, columns)
        if self._total is None:
            covered = [columns[0], rows[0], columns[-1], rows[-1]]
            whole = covered == [0, 0, self.width, self.height]
            if not whole:
                everything = self._masses(np.array([0, self.height]), np.array([0, self.width]))
            self._total = float((masses if whole else everything).sum())
        x0, x1 = np.searchsorted(columns, boxes[:, ::2]).T.tolist()
        y0, y1 = np.searchsorted(rows, boxes[:, 1::2]).T.tolist()
        # Not as differences of an integral image: where nothing is, the share must be 0, as of
        # every such region, for equal scores leave a search's frontier in an order of their own.
        parts = [masses[a:b, c:d] for a, b, c, d in zip(y0, y1, x0, x1, strict=True)]
        inside = np.array([part.sum() for part in parts])
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        # Min-max normalization is linear: subtract the floor everywhere, and the span cancels.
        mass = self._total - low * self.width * self.height
        shares: list[float] = ((inside - low * areas) / mass).tolist()
        return shares

    def to_numpy(self) -> np.ndarray:
        """(height, width) float32: the map itself, made on demand and not kept."""
        down, across = self._axes()
        made = np.empty((self.height, self.width), np.float32)
        lines = self._logits[:, across.lower], self._logits[:, across.upper]
        spread = _between(*lines, across.weight)  # (h, width)
        step = max(1, BAND_PIXELS // max(self.width, 1))
        for start in range(0, self.height, step):
            band = slice(start, start + step)
            low, high = spread[down.lower[band]], spread[down.upper[band]]
            part = _between(low, high, down.weight[band, None])
            np.maximum(part, 0, out=made[band])
        return made

    def _measured(self) -> tuple[float, float]:
        """Smallest and largest pixel of the map, both at least 0."""
        if self._extremes is None:
            # Of the logits: clamping makes zeros of minus infinity.
            if not np.isfinite(self._logits).all():
                raise FloatingPointError(
                    f"the search model gives a cue heatmap that is not finite in {self._precision};"
                    " load it with dtype=bfloat16 or float32"
                )
            low, high = self._pixel_range(np.float32)
            if low > 0:  # then it is taken away from sums, which are exact
                low, high = self._pixel_range(np.float64)
            self._extremes = max(low, 0.0), max(high, 0.0)
        return self._extremes

    def _pixel_range(self, dtype: type[np.floating]) -> tuple[float, float]:
        """Smallest and largest pixel before clamping: they are among the first and last of cells.

        dtype: to compute in; float64 takes four times as long.
        """
        down, across = self._axes()
        y, x, logits = down.ends, across.ends, self._logits.astype(dtype, copy=False)
        rows = _between(logits[down.lower[y]], logits[down.upper[y]], down.weight[y, None])
        pixels = _between(rows[:, across.lower[x]], rows[:, across.upper[x]], across.weight[x])
        return float(pixels.min()), float(pixels.max())

    def _masses(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """(len(rows) - 1, len(columns) - 1) float64: sums of the map between these borders.

        rows, columns: ascending, in pixels.
        """
        if len(rows) < 2 or len(columns) < 2:
            return np.zeros((max(len(rows) - 1, 0), max(len(columns) - 1, 0)))
        down, across = self._axes()
        y, x = down.blocks(rows), across.blocks(columns)
        if y.counts.mean() > x.counts.mean():  # mixed cells are measured pixel row by pixel row
            masses = block_masses(self._logits.T, x, y).T
        else:
            masses = block_masses(self._logits, y, x)
        masses = np.add.reduceat(masses, np.searchsorted(y.starts, rows[:-1]), axis=0)
        return np.add.reduceat(masses, np.searchsorted(x.starts, columns[:-1]), axis=1)

    def _axes(self) -> tuple[Axis, Axis]:
        height, width = self._logits.shape
        across, down = self._extent
        return (
            resized_axis(height, round(self.height / down), self.height),
            resized_axis(width, round(self.width / across), self.width),
        )


def _between(low: np.ndarray, high: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """From low (weight 0) to high (weight 1), in their dtype; both may be overwritten."""
    high -= low
    high *= weight.astype(low.dtype)
    high += low
    return high
