"""The search model's loss: answer text, cue heatmap and boxes (models.md section 2).

All reduction and weighting happens here. Where a part has nothing to supervise it is a zero that
still depends on the prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from seal.batch import Batch, Target, VSMOutput
from seal.losses.detection import focal_loss, giou_loss, l1_loss
from seal.losses.masks import bce_loss, dice_loss
from seal.losses.matcher import match

GIOU_REDUCTIONS = ("matched", "as_released")


@dataclass(kw_only=True, slots=True)
class VSMLossConfig:
    """Weights of the parts; the defaults are the paper's."""

    ce: float = 1.0
    bce: float = 2.0
    dice: float = 0.5
    detection: float = 0.1  # times the three below
    focal: float = 2.0
    l1: float = 5.0
    giou: float = 2.0
    alpha: float = 0.25  # of the focal loss and the matching cost
    gamma: float = 2.0
    giou_reduction: str = "matched"  # oddity 11

    def __post_init__(self) -> None:
        if self.giou_reduction not in GIOU_REDUCTIONS:
            raise ValueError(
                f"giou_reduction={self.giou_reduction!r}; known: {', '.join(GIOU_REDUCTIONS)}"
            )

    def build(self) -> VSMLoss:
        return VSMLoss(self)


class VSMLoss:
    """Named, weighted parts that sum to the total: ce, bce, dice, focal, l1, giou."""

    def __init__(self, config: VSMLossConfig | None = None) -> None:
        self.config = config or VSMLossConfig()

    def __call__(self, batch: Batch, output: VSMOutput) -> dict[str, Tensor]:
        c = self.config
        ce = F.cross_entropy(output.logits.float(), batch.supervised_labels)
        bce, dice = mask_losses(output.pred_masks.float(), batch.targets)
        focal, l1, giou = self._detection(
            output.pred_logits.float(), output.pred_boxes.float(), batch.targets
        )
        return {
            "ce": c.ce * ce,
            "bce": c.bce * bce,
            "dice": c.dice * dice,
            "focal": c.detection * c.focal * focal,
            "l1": c.detection * c.l1 * l1,
            "giou": c.detection * c.giou * giou,
        }

    def _detection(
        self, logits: Tensor, boxes: Tensor, targets: list[Target]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Focal over all expressions (oddity 12); L1 and GIoU over the supervised boxes."""
        c = self.config
        focal, l1, giou = ([boxes.sum() * 0.0 + logits.sum() * 0.0] for _ in range(3))
        num_boxes = 0
        for index, target in enumerate(targets):
            if target.boxes is None:
                continue
            wanted = torch.zeros_like(logits[index])
            if len(target.boxes):
                chosen, which = match(
                    logits[index], boxes[index], target.boxes, alpha=c.alpha, gamma=c.gamma
                )
                wanted[chosen] = 1.0
                num_boxes += len(target.boxes)
                pairs = boxes[index][chosen], target.boxes[which].to(boxes.dtype)
                l1.append(l1_loss(*pairs).sum())
                giou.append(giou_loss(*pairs).sum())
            focal.append(focal_loss(logits[index], wanted, alpha=c.alpha, gamma=c.gamma).sum())
        count = max(num_boxes, 1)
        giou_sum = torch.stack(giou).sum()
        if c.giou_reduction == "matched":
            giou_sum = giou_sum / count
        return (
            torch.stack(focal).sum() / max(len(targets), 1),
            torch.stack(l1).sum() / count,
            giou_sum,
        )


def mask_losses(pred_masks: Tensor, targets: list[Target]) -> tuple[Tensor, Tensor]:
    """BCE and Dice, each summed over the masks that have supervision and divided by their number.

    The logits are resized (bilinear) to each mask's own height x width.
    """
    bce, dice = ([pred_masks.sum() * 0.0] for _ in range(2))
    for logits, target in zip(pred_masks, targets, strict=True):
        if target.mask is None:
            continue
        mask = target.mask[None].to(logits.dtype)
        resized = F.interpolate(
            logits[None, None], size=mask.shape[1:], mode="bilinear", align_corners=False
        )[0]
        bce.append(bce_loss(resized, mask)[0])
        dice.append(dice_loss(resized, mask)[0])
    count = max(len(bce) - 1, 1)
    return torch.stack(bce).sum() / count, torch.stack(dice).sum() / count
