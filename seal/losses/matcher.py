"""Hungarian matching of candidates and boxes (DETR, section 3.1). Must agree with goldens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from seal.ops.boxes import box_cxcywh_to_xyxy, generalized_box_iou


@dataclass(frozen=True, slots=True)
class Pairs:
    """n matched pairs, by expression and then by candidate, as indices on the device."""

    expressions: Tensor  # (n,) int64
    candidates: Tensor  # (n,) int64 of the expression
    boxes: Tensor  # (n,) int64 into the boxes of all expressions, one behind the other
    owners: tuple[int, ...]  # (n,) `expressions` on the host


@torch.no_grad()
def match_all(
    logits: Tensor,
    pred_cxcywh: Tensor,
    boxes_cxcywh: Sequence[Tensor],
    *,
    class_cost: float = 2.0,
    l1_cost: float = 5.0,
    giou_cost: float = 2.0,
    alpha: float = 0.25,
    gamma: float = 2.0,
) -> Pairs:
    """The cheapest one-to-one pairs of each expression; the device is waited for once.

    logits: (E, Q), pred_cxcywh: (E, Q, 4), boxes_cxcywh: of each expression (n_e, 4). An
    expression has min(Q, n_e) pairs.
    """
    counts = [len(boxes) for boxes in boxes_cxcywh]
    device = logits.device
    found: list[tuple[int, int, int]] = []
    if sum(counts):
        owner = torch.from_numpy(np.repeat(np.arange(len(counts)), counts))
        owner = owner.to(device, non_blocking=True)  # (N,)
        probs = logits.float().sigmoid()
        # What turning a candidate from background to foreground adds to the focal loss.
        positive = alpha * (1 - probs) ** gamma * -(probs + 1e-8).log()
        negative = (1 - alpha) * probs**gamma * -(1 - probs + 1e-8).log()
        pred = pred_cxcywh.float().index_select(0, owner)  # (N, Q, 4)
        boxes = torch.cat(list(boxes_cxcywh)).float()[:, None]  # (N, 1, 4)
        l1 = torch.cdist(pred, boxes, p=1).squeeze(2)  # (N, Q)
        giou = generalized_box_iou(box_cxcywh_to_xyxy(pred), box_cxcywh_to_xyxy(boxes))
        change = (positive - negative).index_select(0, owner)
        cost = l1_cost * l1 + class_cost * change - giou_cost * giou
        # Predictions that are not numbers give some pairs, and a loss that names its samples.
        costs = cost.nan_to_num().cpu().numpy()
        begin = 0
        for expression, count in enumerate(counts):
            rows, columns = linear_sum_assignment(costs[begin : begin + count].T)
            found += [
                (expression, int(r), begin + int(c)) for r, c in zip(rows, columns, strict=True)
            ]
            begin += count
    index = torch.tensor(found, dtype=torch.int64).reshape(-1, 3).to(device, non_blocking=True)
    expressions, candidates, which = index.unbind(1)
    return Pairs(expressions, candidates, which, tuple(owner for owner, *_ in found))
