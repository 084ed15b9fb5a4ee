"""The search model's loss: answer text, cue heatmap and boxes (models.md section 2).

All reduction and weighting happens here and must agree with goldens `vsm_cases`. Where a part has
nothing to supervise it is a zero that still depends on the prediction.
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
FOCAL_REDUCTIONS = ("as_released", "supervised")
WHOLE_IMAGE = (0.5, 0.5, 1.0, 1.0)  # cxcywh: the original's box of an expression without boxes


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
    # Oddity 11. matched: as L1. as_released: the sum over all boxes, not their mean, and over an
    # invented box of the whole image for every expression that is not annotated.
    giou_reduction: str = "matched"
    # Oddity 12. as_released divides by all conversations of the micro-batch, so that those without
    # boxes lower the weight of the others; supervised divides by the annotated expressions.
    focal_reduction: str = "as_released"
    # The Dice of an empty mask is near 1 whatever the model says, until it says next to nothing at
    # every pixel; False leaves the silence on absent things to the BCE.
    dice_of_empty: bool = True
    # Not in the paper: a scaffold of the miniature. Pulls the box decoder's query towards
    # `Target.query` (1 - cosine) in the first steps, lest it ignore the name it is asked for.
    query_alignment: float = 0.0
    query_alignment_steps: int = 0  # optimizer steps it lasts

    def __post_init__(self) -> None:
        for name, known in (
            ("giou_reduction", GIOU_REDUCTIONS),
            ("focal_reduction", FOCAL_REDUCTIONS),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}={getattr(self, name)!r}; known: {', '.join(known)}")
        if (self.query_alignment > 0) != (self.query_alignment_steps > 0):
            raise ValueError(
                f"query_alignment={self.query_alignment} and query_alignment_steps="
                f"{self.query_alignment_steps}: set both, or leave both at 0"
            )

    def build(self) -> VSMLoss:
        return VSMLoss(self)


class VSMLoss:
    """Named, weighted parts that sum to the total: ce, bce, dice, focal, l1, giou.

    With the scaffold switched on there is a seventh, query_alignment.
    """

    def __init__(self, config: VSMLossConfig | None = None) -> None:
        self.config = config or VSMLossConfig()

    def __call__(self, batch: Batch, output: VSMOutput) -> dict[str, Tensor]:
        c = self.config
        ce = F.cross_entropy(output.logits.float(), batch.supervised_labels)
        bce, dice = mask_losses(
            output.pred_masks.float(), batch.targets, dice_of_empty=c.dice_of_empty
        )
        focal, l1, giou = self._detection(
            output.pred_logits.float(), output.pred_boxes.float(), batch.targets, len(batch.ids)
        )
        parts = {
            "ce": c.ce * ce,
            "bce": c.bce * bce,
            "dice": c.dice * dice,
            "focal": c.detection * c.focal * focal,
            "l1": c.detection * c.l1 * l1,
            "giou": c.detection * c.giou * giou,
        }
        if c.query_alignment > 0:
            weight = c.query_alignment if batch.step < c.query_alignment_steps else 0.0
            parts["query_alignment"] = weight * query_alignment_loss(output, batch.targets)
        return parts

    def _detection(
        self, logits: Tensor, boxes: Tensor, targets: list[Target], num_conversations: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """logits: (E, Q), boxes: (E, Q, 4) -> focal, L1 and GIoU, reduced."""
        c = self.config
        as_released = c.giou_reduction == "as_released"
        focal, l1, giou = ([boxes.sum() * 0.0 + logits.sum() * 0.0] for _ in range(3))
        num_boxes = num_supervised = 0
        for index, target in enumerate(targets):
            if target.boxes is None:
                if as_released:
                    whole = boxes.new_tensor([WHOLE_IMAGE])
                    _, *pairs = self._pairs(logits[index], boxes[index], whole)
                    giou.append(giou_loss(*pairs).sum())
                continue
            wanted = torch.zeros_like(logits[index])
            num_supervised += 1
            if len(target.boxes):
                chosen, *pairs = self._pairs(logits[index], boxes[index], target.boxes)
                wanted[chosen] = 1.0
                num_boxes += len(target.boxes)
                l1.append(l1_loss(*pairs).sum())
                giou.append(giou_loss(*pairs).sum())
            focal.append(focal_loss(logits[index], wanted, alpha=c.alpha, gamma=c.gamma).sum())
        shared = num_supervised if c.focal_reduction == "supervised" else num_conversations
        count = max(num_boxes, 1)
        # As released: the mean over the boxes, times the number of supervised ones.
        scale = min(num_boxes, 1) if as_released else 1 / count
        return (
            torch.stack(focal).sum() / max(shared, 1),
            torch.stack(l1).sum() / count,
            torch.stack(giou).sum() * scale,
        )

    def _pairs(self, logits: Tensor, boxes: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The matched candidates (n,), their boxes (n, 4) and the true ones (n, 4)."""
        c = self.config
        chosen, which = match(logits, boxes, truth, alpha=c.alpha, gamma=c.gamma)
        return chosen, boxes[chosen], truth[which].to(boxes.dtype)


def mask_losses(
    pred_masks: Tensor, targets: list[Target], *, dice_of_empty: bool = True
) -> tuple[Tensor, Tensor]:
    """BCE and Dice, each summed over the masks that count for it and divided by their number.

    pred_masks: (E, h, w). The logits are resized (bilinear) to each mask's own height x width.
    `dice_of_empty=False` leaves masks without a pixel out of the Dice.
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
        if dice_of_empty or bool(mask.any()):
            dice.append(dice_loss(resized, mask)[0])
    # The first term is the zero that keeps the gradient alive where there is no mask.
    count_bce, count_dice = (max(len(terms) - 1, 1) for terms in (bce, dice))
    return torch.stack(bce).sum() / count_bce, torch.stack(dice).sum() / count_dice


def query_alignment_loss(output: VSMOutput, targets: list[Target]) -> Tensor:
    """Mean of 1 - cosine(query, `Target.query`) over the expressions that have one.

    Raises:
        ValueError: the model handed out no queries.
    """
    terms = [output.pred_logits.sum() * 0.0]
    for index, target in enumerate(targets):
        if target.query is None:
            continue
        if output.pred_queries is None:
            raise ValueError("query_alignment needs VSMOutput.pred_queries; set it to 0 without")
        query = output.pred_queries[index].float()
        terms.append(1 - F.cosine_similarity(query, target.query.to(query), dim=0))
    return torch.stack(terms).sum() / max(len(terms) - 1, 1)
