"""Box arithmetic on tensors: formats, IoU and generalized IoU. Must agree with goldens `losses`."""

from __future__ import annotations

import torch
from torch import Tensor


def box_cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """(..., 4) center and size -> corners."""
    cx, cy, w, h = boxes.unbind(-1)
    return torch.stack([cx - 0.5 * w, cy - 0.5 * h, cx + 0.5 * w, cy + 0.5 * h], dim=-1)


def box_xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """(..., 4) corners -> center and size."""
    x0, y0, x1, y1 = boxes.unbind(-1)
    return torch.stack([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], dim=-1)


def box_area(boxes_xyxy: Tensor) -> Tensor:
    """(..., 4) -> (...)."""
    return (boxes_xyxy[..., 2] - boxes_xyxy[..., 0]) * (boxes_xyxy[..., 3] - boxes_xyxy[..., 1])


def _intersection_union(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    low = torch.maximum(a[..., :2], b[..., :2])
    high = torch.minimum(a[..., 2:], b[..., 2:])
    sides = (high - low).clamp(min=0)
    inter = sides[..., 0] * sides[..., 1]
    return inter, box_area(a) + box_area(b) - inter


def box_iou(a_xyxy: Tensor, b_xyxy: Tensor) -> Tensor:
    """IoU of boxes of broadcastable shapes (..., 4) -> (...)."""
    inter, union = _intersection_union(a_xyxy, b_xyxy)
    return inter / union


def generalized_box_iou(a_xyxy: Tensor, b_xyxy: Tensor) -> Tensor:
    """GIoU (Rezatofighi et al. 2019, eq. 3) of broadcastable (..., 4) -> (...), in [-1, 1]."""
    inter, union = _intersection_union(a_xyxy, b_xyxy)
    low = torch.minimum(a_xyxy[..., :2], b_xyxy[..., :2])
    high = torch.maximum(a_xyxy[..., 2:], b_xyxy[..., 2:])
    sides = (high - low).clamp(min=0)
    hull = sides[..., 0] * sides[..., 1]
    return inter / union - (hull - union) / hull
