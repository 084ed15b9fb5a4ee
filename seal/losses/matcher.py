"""Hungarian matching of candidates and boxes (DETR, section 3.1). Must agree with goldens."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from seal.ops.boxes import box_cxcywh_to_xyxy, generalized_box_iou


@torch.no_grad()
def match(
    logits: Tensor,
    pred_cxcywh: Tensor,
    boxes_cxcywh: Tensor,
    *,
    class_cost: float = 2.0,
    l1_cost: float = 5.0,
    giou_cost: float = 2.0,
    alpha: float = 0.25,
    gamma: float = 2.0,
) -> tuple[Tensor, Tensor]:
    """The cheapest one-to-one pairs of one expression.

    logits: (Q,), pred_cxcywh: (Q, 4), boxes_cxcywh: (n, 4) -> candidates and boxes, each
    (min(Q, n),) int64, ordered by candidate.
    """
    probs = logits.float().sigmoid()
    # What turning a candidate from background to foreground adds to the focal loss.
    positive = alpha * (1 - probs) ** gamma * -(probs + 1e-8).log()
    negative = (1 - alpha) * probs**gamma * -(1 - probs + 1e-8).log()
    pred, boxes = pred_cxcywh.float(), boxes_cxcywh.float()
    l1 = torch.cdist(pred, boxes, p=1)  # (Q, n)
    giou = generalized_box_iou(box_cxcywh_to_xyxy(pred)[:, None], box_cxcywh_to_xyxy(boxes)[None])
    cost = l1_cost * l1 + class_cost * (positive - negative)[:, None] - giou_cost * giou
    # Predictions that are not numbers give some pairs, and a loss that names its samples.
    cost = cost.nan_to_num()
    rows, columns = linear_sum_assignment(cost.cpu().numpy())
    device = logits.device
    return torch.as_tensor(rows, device=device), torch.as_tensor(columns, device=device)
