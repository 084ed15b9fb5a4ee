"""A picture of any shape as the tiles a vision tower sees: one of the whole, then parts of it.

LLaVA-NeXT's `anyres` arithmetic, which must agree with the golden pixels bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from seal.images.pixels import resized_bytes
from seal.tiling import UNPADS, Tiling


@dataclass(kw_only=True, slots=True)
class TilesConfig:
    """On which grids a picture may be cut, and which of its tokens are shown."""

    # (columns, rows) of tiles; LLaVA-NeXT's five, in its order: the first of equals is taken
    grids: list[list[int]] = field(default_factory=lambda: [[1, 2], [2, 1], [2, 2], [3, 1], [1, 3]])
    unpad: str = "tile"  # tile | as_released: how padding is left out (`seal.tiling.Tiling`)

    def __post_init__(self) -> None:
        if not self.grids:
            raise ValueError("tiles.grids is empty; name grids of tiles as [columns, rows]")
        for grid in self.grids:
            if len(grid) != 2 or min(grid) < 1:
                raise ValueError(
                    f"tiles.grids has {list(grid)}; a grid is [columns, rows], each at least 1"
                )
        if self.unpad not in UNPADS:
            raise ValueError(f"tiles.unpad={self.unpad!r} is none of {', '.join(UNPADS)}")

    def tiling(self, width: int, height: int, tile: int, side: int) -> Tiling:
        """The tokens of a `width x height` picture cut into tiles of `tile` pixels a side.

        side: tokens a tile has on a side. No pixel is needed, so a row's length is known before
        its picture is read.
        """
        columns, rows = choose_grid(width, height, tile, self.grids)
        return Tiling(columns, rows, width, height, side, self.unpad)


def choose_grid(
    width: int, height: int, tile: int, grids: Sequence[Sequence[int]]
) -> tuple[int, int]:
    """(columns, rows) of the grid on which a picture keeps most of its pixels.

    Of those that keep equally many, the one that wastes fewest on padding and enlarging, then the
    first. Pixels are those of the picture scaled to fit, at most as many as it has.
    """

    def merit(grid: Sequence[int]) -> tuple[int, int]:
        wide, high = tile * grid[0], tile * grid[1]
        scale = min(wide / width, high / height)
        kept = min(int(width * scale) * int(height * scale), width * height)
        return kept, kept - wide * high

    columns, rows = max(grids, key=merit)  # the first of several
    return columns, rows


def cut_into_tiles(
    image: Image.Image, tile: int, config: TilesConfig
) -> tuple[list[np.ndarray], tuple[int, int]]:
    """(3, tile, tile) uint8 of each tile, the global one first, and the grid (columns, rows).

    The global tile is the whole RGB picture, stretched. For the others, row by row, the picture is
    scaled to fit the grid with its own aspect and centered on black.
    """
    columns, rows = choose_grid(image.width, image.height, tile, config.grids)
    canvas = np.asarray(_centered(image, tile * columns, tile * rows)).transpose(2, 0, 1)
    local = canvas.reshape(3, rows, tile, columns, tile).transpose(1, 3, 0, 2, 4)
    tiles = np.ascontiguousarray(local).reshape(-1, 3, tile, tile)
    return [resized_bytes(image, tile).copy(), *tiles], (columns, rows)


def place_on(
    width: int, height: int, canvas: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The size of a picture that is as large as fits a canvas, and its left upper corner there.

    A scaled side is rounded up: a pixel row that is begun is there.
    """
    wide, high = canvas
    across, down = wide / width, high / height
    if across < down:
        size = (wide, min(math.ceil(height * across), high))
    else:
        size = (min(math.ceil(width * down), wide), high)
    return size, ((wide - size[0]) // 2, (high - size[1]) // 2)


def _centered(image: Image.Image, width: int, height: int) -> Image.Image:
    """The picture as large as fits a black `width x height` canvas."""
    size, corner = place_on(*image.size, (width, height))
    canvas = Image.new("RGB", (width, height))
    canvas.paste(image.resize(size, Image.Resampling.BICUBIC), corner)
    return canvas
