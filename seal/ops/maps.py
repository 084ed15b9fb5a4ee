"""Maps over a detector's square, brought to the pixels of the picture in it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def resized_map(
    values: Tensor, height: int, width: int, extent: tuple[float, float] = (1.0, 1.0)
) -> Tensor:
    """(h, w) over the square -> (height, width) of the picture, bilinear; padding is cut off.

    extent: how much of the square's width and height the picture takes, from the top left corner.
    """
    size = round(height / extent[1]), round(width / extent[0])
    resized = F.interpolate(values[None, None], size=size, mode="bilinear", align_corners=False)
    return resized[0, 0, :height, :width]
