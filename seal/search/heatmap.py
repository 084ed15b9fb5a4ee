"""Heatmap arithmetic: float32 and the order of operations are part of the golden contract."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seal.geometry import Box
from seal.search.protocol import Heat


def normalize(heatmap: np.ndarray) -> np.ndarray:
    """Min-max to [0, 1], in the map's own dtype; a constant map becomes all zeros."""
    low, high = heatmap.min(), heatmap.max()
    if low == high:
        return np.zeros_like(heatmap)
    return (heatmap - low) / (high - low)


def region_shares(heatmap: np.ndarray, regions: Sequence[Box]) -> list[float]:
    """Fraction of the mass of `heatmap` (H, W) inside each region, given in its pixels."""
    area = heatmap.shape[0] * heatmap.shape[1]
    total = (heatmap / area).sum()
    return [_share(heatmap, area, total, region) for region in regions]


def _share(heatmap: np.ndarray, area: int, total: np.floating, region: Box) -> float:
    x0, y0, x1, y1 = region.as_ints()
    # Crop, then divide: a sum over a strided view rounds differently.
    mass = (heatmap[y0:y1, x0:x1] / area).sum()
    # Divided in float32; callers accumulate over ancestors in float64, as numpy 1 did.
    return float(mass / total) if total > 0 else float(mass * 0)


class NumpyHeat:
    """A map held as an array at patch resolution: the reference for every other `Heat`."""

    def __init__(self, heatmap: np.ndarray) -> None:
        """heatmap: (H, W) float32, >= 0."""
        self._raw = heatmap
        self._normalized: np.ndarray | None = None
        self._total: np.floating | None = None

    def peak(self) -> float:
        return float(self._raw.max())

    def shares(self, regions: Sequence[Box]) -> list[float]:
        area = self._raw.shape[0] * self._raw.shape[1]
        if self._normalized is None or self._total is None:
            self._normalized = normalize(self._raw)
            self._total = (self._normalized / area).sum()
        return [_share(self._normalized, area, self._total, region) for region in regions]

    def to_numpy(self) -> np.ndarray:
        return self._raw


class GridHeat:
    """A map that is constant within each cell of a coarse grid laid over a patch of any size."""

    def __init__(self, grid: np.ndarray, width: float, height: float, peak: float = 1.0) -> None:
        """grid: (rows, columns) >= 0, relative heat; `peak`: what its largest cell stands for."""
        top = float(grid.max())
        self.grid = (grid / top if top > 0 else grid).astype(np.float32)
        self.width, self.height = width, height
        self._peak = peak if top > 0 else 0.0
        # Integral image: sums over whole cells; a row and a column of zeros first.
        self._integral = np.zeros((grid.shape[0] + 1, grid.shape[1] + 1))
        self._integral[1:, 1:] = normalize(self.grid.astype(np.float64)).cumsum(0).cumsum(1)

    def peak(self) -> float:
        return self._peak

    def shares(self, regions: Sequence[Box]) -> list[float]:
        total = self._integral[-1, -1]
        if total == 0:
            return [0.0] * len(regions)
        return [float(self.mass(region) / total) for region in regions]

    def to_numpy(self) -> np.ndarray:
        rows, columns = self.grid.shape
        y = np.arange(int(self.height)) * rows // max(int(self.height), 1)
        x = np.arange(int(self.width)) * columns // max(int(self.width), 1)
        return self.grid[y[:, None], x] * np.float32(self._peak)

    def mass(self, region: Box) -> float:
        """Normalized heat inside a region; only ratios of it mean something."""
        rows, columns = self.grid.shape
        x0, x1 = (min(max(x / self.width, 0), 1) * columns for x in (region.x0, region.x1))
        y0, y1 = (min(max(y / self.height, 0), 1) * rows for y in (region.y0, region.y1))
        return self._until(x1, y1) - self._until(x0, y1) - self._until(x1, y0) + self._until(x0, y0)

    def _until(self, x: float, y: float) -> float:
        """Mass above and left of a point in cells: bilinear within the integral image."""
        column, row = min(int(x), self.grid.shape[1] - 1), min(int(y), self.grid.shape[0] - 1)
        fx, fy = x - column, y - row
        corner = self._integral[row : row + 2, column : column + 2]
        top = corner[0, 0] * (1 - fx) + corner[0, 1] * fx
        bottom = corner[1, 0] * (1 - fx) + corner[1, 1] * fx
        return float(top * (1 - fy) + bottom * fy)


def heat_grid(heat: Heat, width: float, height: float, cells: int = 24) -> np.ndarray:
    """(rows, columns) float32, largest cell 1: any heat over a width x height patch, small.

    `cells` along the longer side. Asks only for sums, so a map on a device stays there.
    """
    longest = max(width, height)
    columns = max(1, round(cells * width / longest))
    rows = max(1, round(cells * height / longest))
    columns, rows = min(columns, max(int(width), 1)), min(rows, max(int(height), 1))
    xs = [int(width * i / columns) for i in range(columns + 1)]
    ys = [int(height * j / rows) for j in range(rows + 1)]
    regions = [Box(xs[i], ys[j], xs[i + 1], ys[j + 1]) for j in range(rows) for i in range(columns)]
    areas = np.array([max(region.area, 1.0) for region in regions])
    density = np.array(heat.shares(regions)) / areas
    top = density.max()
    return (density / top if top > 0 else density).reshape(rows, columns).astype(np.float32)
