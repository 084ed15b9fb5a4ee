"""What the vision tower is shown of a picture, and how the picture then stands in a row."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import torch
from PIL.Image import Image
from torch import Tensor

from seal.batch import Visual
from seal.data.levels import at_level
from seal.geometry import Box
from seal.images import BACKGROUND, Color, context_box, pad_to_square, resized_bytes
from seal.images.tiles import TilesConfig, cut_into_tiles


@dataclass(frozen=True, slots=True)
class TowerInput:
    """Of one model: the same for its training and for its answers."""

    image_size: int  # pixels a side
    num_tokens: int  # of one such square
    background: Color = BACKGROUND  # of what is squared
    tiles: TilesConfig | None = None  # None: a picture is one square

    def pixels(self, image: Image, *, pad: bool) -> list[Tensor]:
        """Each (3, S, S) uint8: the picture's tiles, or the whole of it, padded to a square or
        stretched: normalized where they are needed, they are small on the way."""
        if self.tiles is not None:
            tiles, _ = cut_into_tiles(image, self.image_size, self.tiles)
            return list(map(torch.from_numpy, tiles))
        if pad:
            image, _ = pad_to_square(image, "center", self.background)
        return [picture(image, self.image_size)]

    def visuals(
        self,
        size: tuple[int, int],
        boxes: Iterable[Box],
        *,
        image_long: bool,
        objects_long: bool,
        crop_scale: float = 1.2,
    ) -> list[Visual]:
        """A whole picture of `size` and the crop around each box, whose pixels follow each other.

        No pixel is needed. An empty crop counts as one pixel: cutting it tells what is wrong.
        """
        visuals = [self.visual(0, size, long=image_long)]
        for box in boxes:
            left, top, right, bottom = context_box(box, *size, crop_scale)
            first = sum(visual.num_tiles for visual in visuals)
            cut = max(right - left, 1), max(bottom - top, 1)
            visuals.append(self.visual(first, cut, long=objects_long))
        return visuals

    def visual(self, first: int, size: tuple[int, int], *, long: bool) -> Visual:
        """A picture of `size`, width and height, the pixels of which begin at image `first`."""
        visual = Visual(first, long)
        if self.tiles is None:
            return visual
        side = math.isqrt(self.num_tokens)
        tiling = self.tiles.tiling(*size, self.image_size, side)
        return at_level(Visual(first, long, tiling=tiling), self.num_tokens)

    def blank(self) -> Tensor:
        """What dummy slots show: nothing attends to it. One object: a batch encodes it once."""
        return _blank(self.image_size, self.background)


def picture(image: Image, size: int) -> Tensor:
    """(3, size, size) uint8: the picture, stretched."""
    return torch.from_numpy(resized_bytes(image, size).copy())


@lru_cache(maxsize=8)
def _blank(size: int, color: Color) -> Tensor:
    channels = torch.tensor(color, dtype=torch.uint8)
    return channels[:, None, None].expand(3, size, size).contiguous()
