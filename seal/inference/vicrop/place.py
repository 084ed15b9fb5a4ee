"""Lay a map over the image, of which the model may have seen more or less than there is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from seal.geometry import Box
from seal.inference.vicrop.tiles import Tiling
from seal.inference.vicrop.windows import SCALES, Window, choose_window


@dataclass(frozen=True, slots=True)
class PlacedMap:
    """A map, and what its cells together lie over."""

    values: np.ndarray  # (rows, columns)
    view: Box  # in image pixels; over the border where the image was padded

    def inside(self, width: int, height: int) -> PlacedMap:
        """Without the rows and columns that lie wholly outside of the image."""
        rows, columns = self.values.shape
        x0, x1 = _kept(self.view.x0, self.view.x1, columns, width)
        y0, y1 = _kept(self.view.y0, self.view.y1, rows, height)
        across, down = self.view.width / columns, self.view.height / rows
        left, top = self.view.x0 + x0 * across, self.view.y0 + y0 * down
        box = Box(left, top, left + (x1 - x0) * across, top + (y1 - y0) * down)
        return PlacedMap(self.values[y0:y1, x0:x1], box)

    def over(self, box: Box, shape: tuple[int, int] | None = None) -> np.ndarray:
        """The map over another box, (rows, columns): each cell the mean of what lies under it.

        What nothing lies under is 0. As fine as it is, unless `shape` is given.
        """
        rows, columns = self.values.shape
        if shape is None:
            wanted_rows = max(1, round(rows * box.height / self.view.height))
            shape = wanted_rows, max(1, round(columns * box.width / self.view.width))
        if box == self.view and shape == self.values.shape:
            return self.values
        down = _overlap(self.view.y0, self.view.y1, rows, box.y0, box.y1, shape[0])
        across = _overlap(self.view.x0, self.view.x1, columns, box.x0, box.x1, shape[1])
        laid: np.ndarray = (down @ self.values @ across.T).astype(self.values.dtype)
        return laid


def window_of(
    placed: PlacedMap,
    image_size: tuple[int, int],
    base: int,
    *,
    scales: Sequence[float] = SCALES,
    guards: bool = True,
) -> Window:
    """`choose_window` where the map lies; the box is in the image, in whole pixels."""
    width, height = image_size
    part = placed.inside(width, height)
    if part.view == Box(0, 0, width, height):
        return choose_window(part.values, image_size, base, scales=scales, guards=guards)
    size = max(1, round(part.view.width)), max(1, round(part.view.height))
    window = choose_window(part.values, size, base, scales=scales, guards=guards)
    if window.whole:
        return replace(window, box=Box(0, 0, width, height))
    x0, x1 = _moved_in(window.box.x0 + part.view.x0, window.box.width, width)
    y0, y1 = _moved_in(window.box.y0 + part.view.y0, window.box.height, height)
    return replace(window, box=Box(x0, y0, x1, y1))


def joined(maps: Sequence[PlacedMap], tiles: Tiling, image_size: tuple[int, int]) -> PlacedMap:
    """The maps of an image's tiles as one over the image, each over its own tile alone."""
    own = [Box(0, 0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in tiles.boxes]
    shape = maps[0].over(own[0]).shape
    values = tiles.join([m.over(box, shape) for m, box in zip(maps, own, strict=True)])
    return PlacedMap(values, Box(0, 0, *image_size))


def _kept(low: float, high: float, count: int, size: int) -> tuple[int, int]:
    """First and one past the last of `count` cells of [low, high] that reach into [0, size]."""
    cell = (high - low) / count
    nearly = 1e-6  # cells: an edge that falls on the image's is not beyond it
    first = max(0, math.floor(-low / cell + nearly))
    last = min(count, math.ceil((size - low) / cell - nearly))
    return min(first, count - 1), max(last, min(first, count - 1) + 1)


def _moved_in(start: float, length: float, size: int) -> tuple[int, int]:
    """A stretch of whole pixels, moved into [0, size] and no longer than that."""
    whole = min(round(length), size)
    first = min(max(round(start), 0), size - whole)
    return first, first + whole


def _overlap(
    low: float, high: float, count: int, wanted_low: float, wanted_high: float, wanted: int
) -> np.ndarray:
    """(wanted, count): the share of each wanted cell that lies over each cell there is."""
    edges = np.linspace(low, high, count + 1)
    wanted_edges = np.linspace(wanted_low, wanted_high, wanted + 1)
    starts = np.maximum(edges[None, :-1], wanted_edges[:-1, None])
    ends = np.minimum(edges[None, 1:], wanted_edges[1:, None])
    return np.clip(ends - starts, 0, None) / ((wanted_high - wanted_low) / wanted)
