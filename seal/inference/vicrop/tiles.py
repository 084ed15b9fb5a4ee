"""The tiles that a large image is cut into for maps finer than one look gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from seal.images import cut
from seal.inference.vicrop.config import ViCropConfig


@dataclass(frozen=True, slots=True)
class Tiling:
    """Tiles row by row; `boxes` in whole image pixels, past its border where it says so."""

    rows: int
    columns: int
    boxes: tuple[tuple[int, int, int, int], ...]

    def cut(self, image: Image.Image) -> list[Image.Image]:
        """The pictures of the tiles; what lies past the border is black."""
        return [cut(image, box) for box in self.boxes]

    def join(self, maps: Sequence[np.ndarray]) -> np.ndarray:
        """(rows x h, columns x w): the tiles' maps, all (h, w), where their tiles lie."""
        if len(maps) != len(self.boxes) or len({heat.shape for heat in maps}) != 1:
            raise ValueError(
                f"{len(self.boxes)} tiles have as many maps of one shape, got "
                f"{[heat.shape for heat in maps]}"
            )
        stacked = np.stack(maps).reshape(self.rows, self.columns, *maps[0].shape)
        rows, columns = self.rows * maps[0].shape[0], self.columns * maps[0].shape[1]
        return stacked.swapaxes(1, 2).reshape(rows, columns)


def wants_tiles(config: ViCropConfig, image_size: tuple[int, int], *, shrinks: bool) -> bool:
    """Whether a map for each tile is worth its cost.

    Args:
        shrinks: the model brings every image to one size; others see large ones as they are.
    """
    if config.high_resolution == "auto":
        return shrinks and max(image_size) > config.tile_threshold
    return config.high_resolution == "on"


def tiling(
    image_size: tuple[int, int], threshold: int = 1024, *, as_released: bool = False
) -> Tiling:
    """Nearly square tiles: as many rows as the threshold goes into the height, columns to match.

    Args:
        image_size: width, height in pixels.
        as_released: tiles of one size, the last of which lie past the border, any number of them
            side by side, and none for a narrow image. Ours end with the image, differ by a pixel
            at most, are at least one, and no narrower than half the threshold.

    Raises:
        ValueError: an image without pixels, or one that the original cannot cut.
    """
    width, height = image_size
    if min(image_size) < 1:
        raise ValueError(f"an image of {width} x {height} pixels has no tiles")
    rows = math.ceil(height / threshold)
    columns = int(rows * width / height)
    if as_released:
        if columns == 0:
            raise ValueError(
                f"the original cannot cut an image of {width} x {height} pixels into tiles: it is "
                "too narrow; use guards=true or high_resolution=off"
            )
        across, down = math.ceil(width / columns), math.ceil(height / rows)
        xs = [i * across for i in range(columns + 1)]
        ys = [j * down for j in range(rows + 1)]
    else:
        columns = max(1, min(columns, math.ceil(2 * width / threshold)))
        xs = [i * width // columns for i in range(columns + 1)]
        ys = [j * height // rows for j in range(rows + 1)]
    boxes = tuple((xs[i], ys[j], xs[i + 1], ys[j + 1]) for j in range(rows) for i in range(columns))
    return Tiling(rows, columns, boxes)
