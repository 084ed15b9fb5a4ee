"""How much of a map, and of the crop it asks for, falls on what a question is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from seal.geometry import Box
from seal.inference.vicrop.place import PlacedMap


@dataclass(frozen=True, slots=True)
class Coverage:
    """Fractions in [0, 1]; where boxes overlap, what they share counts once."""

    share: float  # of the map's mass inside the image, how much lies in the annotated boxes
    covered: float  # of the annotated boxes' area, how much the crop covers
    crop: float  # of the image's area, how much the crop has


def coverage(
    placed: PlacedMap, window: Box, boxes: Sequence[Box], image_size: tuple[int, int]
) -> Coverage:
    """Of one map: cells are of even heat, and those without a number are cold.

    Args:
        window: the crop that the map asks for, in image pixels.
        boxes: annotated, in image pixels.
        image_size: width, height.

    Raises:
        ValueError: no box has a part inside the image.
    """
    image = Box(0, 0, *image_size)
    parts = disjoint([found for box in boxes if (found := common(box, image)) is not None])
    if not parts:
        raise ValueError(
            f"no annotated box lies inside the image of {image.x1} x {image.y1} pixels"
        )
    values = np.where(np.isfinite(placed.values), placed.values, 0)
    heat = PlacedMap(values.astype(np.float64), placed.view)
    total = mass(heat, image)
    area = sum(part.area for part in parts)
    inside = [found for part in parts if (found := common(part, window)) is not None]
    return Coverage(
        share=sum(mass(heat, part) for part in parts) / total if total > 0 else 0.0,
        covered=sum(part.area for part in inside) / area,
        crop=window.area / image.area,
    )


def chance(boxes: Sequence[Box], image_size: tuple[int, int]) -> float:
    """The `share` of a flat map: the boxes' part of the image's area."""
    image = Box(0, 0, *image_size)
    inside = [found for box in boxes if (found := common(box, image)) is not None]
    return sum(part.area for part in disjoint(inside)) / image.area


def mass(placed: PlacedMap, box: Box) -> float:
    """The heat inside a box, in cells: a cell that lies half inside counts by half."""
    rows, columns = placed.values.shape
    view = placed.view
    down = _cells_inside(view.y0, view.y1, rows, box.y0, box.y1)
    across = _cells_inside(view.x0, view.x1, columns, box.x0, box.x1)
    return float(down @ placed.values @ across)


def common(one: Box, other: Box) -> Box | None:
    """The part that two boxes share; None if that has no area."""
    x0, y0 = max(one.x0, other.x0), max(one.y0, other.y0)
    x1, y1 = min(one.x1, other.x1), min(one.y1, other.y1)
    return Box(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def disjoint(boxes: Sequence[Box]) -> list[Box]:
    """Boxes that cover the same places and do not overlap: cut along every edge there is."""
    xs = sorted({x for box in boxes for x in (box.x0, box.x1)})
    ys = sorted({y for box in boxes for y in (box.y0, box.y1)})
    pieces = [Box(x0, y0, x1, y1) for x0, x1 in pairwise(xs) for y0, y1 in pairwise(ys)]
    return [p for p in pieces if any(common(p, box) is not None for box in boxes)]


def _cells_inside(low: float, high: float, count: int, start: float, end: float) -> np.ndarray:
    """(count,): the share of each cell of [low, high] that lies within [start, end]."""
    edges = np.linspace(low, high, count + 1)
    length = np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)
    return np.clip(length, 0, None) * count / (high - low)
