"""Where the tiles of an image lie, and how the scores of tiles become a map of a patch."""

from __future__ import annotations

import math

import numpy as np

from seal.geometry import Box

_FINEST = 64  # cells a side of a map


def image_tiles(
    width: int, height: int, *, side: int, overlap: float, most: int, least: int = 32
) -> list[Box]:
    """Squares that cover an image of width x height pixels, row by row, in image pixels.

    A tile is `side` pixels, but at most half of the image's short side, as far as that is no less
    than `least`: a map of one tile says nothing. It grows until tiles are no more than `most`. If
    the image is smaller than a tile, tiles end with it. Neighbors share the fraction `overlap` of
    their side, or more: tiles are spread evenly and the last ones end with the image.
    """
    size = float(max(min(side, min(width, height) // 2), min(side, least)))
    while True:
        tile = math.ceil(size)
        xs = _starts(width, min(tile, width), overlap)
        ys = _starts(height, min(tile, height), overlap)
        if len(xs) * len(ys) <= most:
            break
        size *= 1.05
    return [
        Box(x, y, x + min(tile, width), y + min(tile, height))
        for y in ys
        for x in xs
    ]  # fmt: skip


def scores_map(tiles: list[Box], scores: np.ndarray, patch: Box) -> np.ndarray:
    """(rows, columns) float32 over `patch`: at the middle of a cell the mean of its tiles' scores.

    tiles: of `image_tiles`; scores: (N,). A cell is at most a quarter of a tile a side, unless
    there were more than 64 of them.
    """
    xs = _cells(patch.x0, patch.width, tiles[0].width / 4)
    ys = _cells(patch.y0, patch.height, tiles[0].height / 4)
    left, top, right, bottom = np.array([(t.x0, t.y0, t.x1, t.y1) for t in tiles]).T[:, :, None]
    # A patch may end half a pixel outside the image; its last cells are still the last tiles'.
    xs = np.clip(xs, left.min(), right.max() - 1e-6)
    ys = np.clip(ys, top.min(), bottom.max() - 1e-6)
    over_x = (left <= xs) & (xs < right)  # (N, columns)
    over_y = (top <= ys) & (ys < bottom)  # (N, rows)
    ones = np.ones(len(tiles))
    total, count = (
        np.einsum("n,nr,nc->rc", weights, over_y, over_x)
        for weights in (scores.astype(np.float64), ones)
    )
    return (total / count).astype(np.float32)


def tiles_inside(tiles: list[Box], patch: Box) -> list[int]:
    """Places of the tiles that show nothing but the patch."""
    x0, y0, x1, y1 = patch.as_ints()
    return [
        i
        for i, tile in enumerate(tiles)
        if tile.x0 >= x0 and tile.y0 >= y0 and tile.x1 <= x1 and tile.y1 <= y1
    ]


def _starts(length: int, tile: int, overlap: float) -> list[int]:
    if tile >= length:
        return [0]
    stride = max(tile * (1 - overlap), 1.0)
    count = math.ceil((length - tile) / stride) + 1
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def _cells(start: float, length: float, most: float) -> np.ndarray:
    """Middles of equal cells along a side."""
    count = min(max(math.ceil(length / most), 1), _FINEST)
    return start + (np.arange(count) + 0.5) * length / count
