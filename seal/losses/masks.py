"""Mask losses of the cue decoder. Must agree with goldens `losses`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def bce_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Mean binary cross-entropy over the pixels of each mask. (N, H, W) twice -> (N,)."""
    losses = F.binary_cross_entropy_with_logits(logits, masks, reduction="none")
    return losses.flatten(1).mean(1)


def dice_loss(logits: Tensor, masks: Tensor, *, scale: float = 1000.0, eps: float = 1e-6) -> Tensor:
    """1 - soft Dice of each mask. (N, H, W) twice -> (N,)."""
    probs = logits.sigmoid().flatten(1)  # (N, HW)
    masks = masks.flatten(1)
    # Divided before they are summed: half precision would overflow on a full-size mask.
    overlap = 2 * (probs / scale * masks).sum(-1)
    total = (probs / scale).sum(-1) + (masks / scale).sum(-1)
    return 1 - (overlap + eps) / (total + eps)
