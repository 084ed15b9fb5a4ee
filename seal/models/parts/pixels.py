"""Pictures as bytes become what the towers were trained on, on the device that needs them.

Must agree bit for bit with `seal.images.tower_pixels`.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from seal.images import CLIP_COLORS, Normalization, byte_values


def normalized(pixels: Tensor, normalization: Normalization = CLIP_COLORS) -> Tensor:
    """(N, 3, H, W) bytes -> float32, normalized; what is normalized already stays."""
    if pixels.dtype != torch.uint8:
        return pixels
    values = _table(normalization, pixels.device)
    offsets = 256 * torch.arange(3, device=pixels.device, dtype=torch.int32)
    index = pixels.to(torch.int32) + offsets[:, None, None]
    return values.index_select(0, index.flatten()).view(pixels.shape)


@lru_cache(maxsize=16)
def _table(normalization: Normalization, device: torch.device) -> Tensor:
    """(768,) float32: what each byte of each channel becomes."""
    return torch.from_numpy(byte_values(normalization)).flatten().to(device)
