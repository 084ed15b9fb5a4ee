"""Losses of the box decoder, one number an item. Must agree with goldens `losses`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from seal.ops.boxes import box_cxcywh_to_xyxy, generalized_box_iou


def focal_loss(
    logits: Tensor, targets: Tensor, *, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """Sigmoid focal loss of each candidate (Lin et al. 2017, eq. 5). Any shape -> the same."""
    probs = logits.sigmoid()
    ce = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    right = probs * targets + (1 - probs) * (1 - targets)
    loss = ce * (1 - right) ** gamma
    if alpha < 0:
        return loss
    return (alpha * targets + (1 - alpha) * (1 - targets)) * loss


def l1_loss(pred_cxcywh: Tensor, boxes_cxcywh: Tensor) -> Tensor:
    """Sum of absolute differences of matched pairs. (n, 4) twice -> (n,)."""
    return (pred_cxcywh - boxes_cxcywh).abs().sum(-1)


def giou_loss(pred_cxcywh: Tensor, boxes_cxcywh: Tensor) -> Tensor:
    """1 - GIoU of matched pairs. (n, 4) twice -> (n,)."""
    pred, boxes = box_cxcywh_to_xyxy(pred_cxcywh), box_cxcywh_to_xyxy(boxes_cxcywh)
    return 1 - generalized_box_iou(pred, boxes)
