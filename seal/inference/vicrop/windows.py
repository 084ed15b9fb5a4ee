"""The crop a map asks for: the best place of several square windows, then the sharpest of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seal.geometry import Box

SCALES = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0)


@dataclass(frozen=True, slots=True)
class Window:
    """What was chosen, and what stood in the way of the plain rule."""

    box: Box  # whole pixels of the image; cut off where the image ends
    scale: float = 1.0  # of the base window
    cells: tuple[int, int] = (0, 0)  # rows, columns of the map that were summed
    sharpness: float = 0.0  # how far its sum stands out from the places beside it, per cell
    whole: bool = False  # the box is the image: nothing is cropped
    notes: tuple[str, ...] = ()  # what the guards had to deal with, in words


def choose_window(
    heat: np.ndarray,
    image_size: tuple[int, int],
    base: int,
    *,
    scales: Sequence[float] = SCALES,
    guards: bool = True,
) -> Window:
    """The crop of an image for a map that lies over all of it.

    A window of side base x scale, in whole cells, is moved over the map: of each scale the place
    with the largest sum (column by column, the first of equals), of these the one that stands out
    most from its neighbours. The crop has that side in pixels and that place's centre, moved into
    the image. Where the smallest window covers the whole map there is nothing to crop.

    Args:
        heat: (rows, columns), of any scale; sums are taken in its own precision.
        image_size: width, height in pixels.
        base: side of the smallest window in pixels.
        scales: of the base window, each above the last.
        guards: cells that are not finite count nothing, a flat map crops nothing, and windows under
            one cell are left out; each is told in `notes`. False: the original's rule to the
            letter, in which a window under one cell scores 0/0 and wins.

    Raises:
        ValueError: no map of rows and columns, or an image without pixels.
    """
    width, height = image_size
    if heat.ndim != 2 or 0 in heat.shape or min(image_size) < 1:
        shape = " x ".join(map(str, heat.shape))
        raise ValueError(
            f"a map of {shape} cells over an image of {width} x {height} pixels has no window: "
            "give (rows, columns), and an image with pixels"
        )
    notes: list[str] = []
    if guards:
        heat = _finite(heat, notes)
        if heat.min() == heat.max() and heat.size > 1:
            notes.append("the map is flat, no place stands out: nothing is cropped")
            return _whole(image_size, heat.shape, notes)
    cell = width / heat.shape[1], height / heat.shape[0]
    windows = [(scale, _in_cells(base * scale, cell, heat.shape)) for scale in scales]
    if guards and min(windows[0][1]) < 1:
        notes.append(
            f"a cell of the map has {cell[0]:.0f} x {cell[1]:.0f} pixels: windows under that size "
            "are left out"
        )
        kept = [(scale, cells) for scale, cells in windows if min(cells) > 0]
        windows = kept or [(scales[-1], _in_cells(max(*cell), cell, heat.shape))]
    if windows[0][1] == heat.shape:
        return _whole(image_size, heat.shape, notes)
    found = [
        (scale, cells, *_best_place(_window_sums(heat, cells), cells))
        for scale, cells in windows
        if cells != heat.shape
    ]
    # NaN, of a window under one cell, is larger than everything: so the original has it.
    scale, cells, (row, column), sharpness = found[
        int(np.argmax([sharpness for *_, sharpness in found]))
    ]
    half = int(base * scale // 2)
    x0, x1 = _span(int(column * cell[0] + cell[0] * cells[1] / 2), half, width)
    y0, y1 = _span(int(row * cell[1] + cell[1] * cells[0] / 2), half, height)
    return Window(Box(x0, y0, x1, y1), scale, cells, sharpness, notes=tuple(notes))


def _whole(image_size: tuple[int, int], shape: tuple[int, ...], notes: list[str]) -> Window:
    return Window(
        Box(0, 0, *image_size), cells=(shape[0], shape[1]), whole=True, notes=tuple(notes)
    )


def _finite(heat: np.ndarray, notes: list[str]) -> np.ndarray:
    """The map with zeros for what is no number."""
    finite = np.isfinite(heat)
    if finite.all():
        return heat
    lost = heat.size - int(finite.sum())
    notes.append(f"{lost} of {heat.size} cells of the map are not finite and count nothing")
    return np.where(finite, heat, heat.dtype.type(0))


def _in_cells(side: float, cell: tuple[float, float], shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns that a square of this side in pixels spans, at most the map's."""
    return min(int(side / cell[1]), shape[0]), min(int(side / cell[0]), shape[1])


def _window_sums(heat: np.ndarray, cells: tuple[int, int]) -> np.ndarray:
    """(rows, columns) float64: the sum of the window whose top left cell is there.

    Each is summed by itself: running sums carry rounding, and NaN, from place to place.
    """
    high, wide = cells
    sums = np.empty((heat.shape[0] - high + 1, heat.shape[1] - wide + 1))
    for y, x in np.ndindex(sums.shape):
        sums[y, x] = heat[y : y + high, x : x + wide].sum()
    return sums


def _best_place(sums: np.ndarray, cells: tuple[int, int]) -> tuple[tuple[int, int], float]:
    """Row and column of the largest sum, and what it exceeds the mean of those beside it by.

    That per cell of the window, so that windows of different sizes can be compared.
    """
    high, wide = sums.shape
    comparable = np.where(np.isnan(sums), -np.inf, sums)
    x, y = divmod(int(comparable.T.argmax()), high)
    beside = [
        sums[j, i]
        for j, i in ((y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x))
        if 0 <= j < high and 0 <= i < wide
    ]
    with np.errstate(invalid="ignore"):  # infinity minus itself, and no cells at all
        excess = np.float64(sums[y, x] - np.mean(beside)) / np.float64(cells[0] * cells[1])
    return (y, x), float(excess)


def _span(centre: int, half: int, size: int) -> tuple[int, int]:
    """First and last pixel of a crop: moved in from the low edge, then from the high one."""
    centre = min(max(centre, half), size - half)
    return max(0, centre - half), min(size, centre + half)
