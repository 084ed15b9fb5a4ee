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
from seal.losses.matcher import match_all
from seal.losses.vqa import LABEL_LOSSES, label_losses
from seal.ops.maps import resized_map

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
    """Named, weighted parts: ce, bce, dice, focal, l1, giou.

    Each is a sum; divided by its weight over a step they add up to the loss. With the scaffold
    switched on there is a seventh, query_alignment.
    """

    def __init__(self, config: VSMLossConfig | None = None) -> None:
        self.config = config or VSMLossConfig()

    def weights(self, batch: Batch) -> dict[str, float]:
        """How much each part counts; known on the host, before any forward pass."""
        c = self.config
        masks = [target.mask for target in batch.targets if target.mask is not None]
        boxes = [target.boxes for target in batch.targets if target.boxes is not None]
        num_boxes = sum(map(len, boxes))
        weights = {
            "ce": len(batch.label_ids),
            "bce": len(masks),
            "dice": len(masks) if c.dice_of_empty else sum(mask.area > 0 for mask in masks),
            "focal": len(boxes) if c.focal_reduction == "supervised" else len(batch.ids),
            "l1": num_boxes,
            # As released: the mean over the boxes, times the number of supervised ones.
            "giou": num_boxes if c.giou_reduction == "matched" else 1,
        }
        if c.query_alignment > 0:
            weights["query_alignment"] = sum(t.query is not None for t in batch.targets)
        return {name: float(weight) for name, weight in weights.items()}

    def __call__(self, batch: Batch, output: VSMOutput) -> dict[str, Tensor]:
        """Sums over what is annotated in the micro-batch, and the loss of each supervised token."""
        c = self.config
        each = label_losses(output.logits, batch)
        bce, dice = mask_losses(
            output.pred_masks.float(), batch.targets, dice_of_empty=c.dice_of_empty
        )
        focal, l1, giou = self._detection(
            output.pred_logits.float(), output.pred_boxes.float(), batch.targets
        )
        parts = {
            "ce": c.ce * each.sum(),
            "bce": c.bce * bce,
            "dice": c.dice * dice,
            "focal": c.detection * c.focal * focal,
            "l1": c.detection * c.l1 * l1,
            "giou": c.detection * c.giou * giou,
        }
        if c.query_alignment > 0:
            weight = c.query_alignment if batch.step < c.query_alignment_steps else 0.0
            parts["query_alignment"] = weight * query_alignment_loss(output, batch.targets)
        return parts | {LABEL_LOSSES: each.detach()}

    def _detection(
        self, logits: Tensor, boxes: Tensor, targets: list[Target]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """logits: (E, Q), boxes: (E, Q, 4) -> focal, L1 and GIoU, summed."""
        c = self.config
        as_released = c.giou_reduction == "as_released"
        annotated = [i for i, target in enumerate(targets) if target.boxes is not None]
        truth = [boxes[0, :0] if t.boxes is None else t.boxes.to(boxes.dtype) for t in targets]
        if as_released and any(map(len, truth)):
            whole = torch.tensor([WHOLE_IMAGE]).to(boxes, non_blocking=True)
            truth = [
                b if t.boxes is not None else whole for t, b in zip(targets, truth, strict=True)
            ]
        focal = l1 = giou = boxes.sum() * 0.0 + logits.sum() * 0.0
        if not annotated:
            return focal, l1, giou
        pairs = match_all(logits, boxes, truth, alpha=c.alpha, gamma=c.gamma)
        chosen = boxes[pairs.expressions, pairs.candidates]  # (n, 4)
        wanted = torch.cat(truth).index_select(0, pairs.boxes)
        counted = _places([owner in annotated for owner in pairs.owners], boxes.device)
        giou = giou + giou_loss(chosen, wanted).sum()
        l1 = l1 + l1_loss(chosen, wanted).index_select(0, counted).sum()
        positive = torch.zeros_like(logits)
        positive[pairs.expressions, pairs.candidates] = 1.0
        losses = focal_loss(logits, positive, alpha=c.alpha, gamma=c.gamma).sum(1)
        known = _places([target.boxes is not None for target in targets], boxes.device)
        return focal + losses.index_select(0, known).sum(), l1, giou


def _places(flags: list[bool], device: torch.device) -> Tensor:
    """(n,) where a flag is set; made on the host, so that nobody waits."""
    places = [place for place, flag in enumerate(flags) if flag]
    return torch.tensor(places, dtype=torch.int64).to(device, non_blocking=True)


def mask_losses(
    pred_masks: Tensor, targets: list[Target], *, dice_of_empty: bool = True
) -> tuple[Tensor, Tensor]:
    """BCE and Dice, each summed over the masks that count for it.

    pred_masks: (E, h, w). The logits are resized (bilinear) to each mask's own height x width; what
    lies over padding does not count.
    `dice_of_empty=False` leaves masks without a pixel out of the Dice.
    """
    # The first term is the zero that keeps the gradient alive where there is no mask.
    bce, dice = ([pred_masks.sum() * 0.0] for _ in range(2))
    for logits, target in zip(pred_masks, targets, strict=True):
        if target.mask is None:
            continue
        mask = target.mask.unpack()[None].to(logits.dtype)
        resized = resized_map(logits, target.mask.height, target.mask.width, target.extent)[None]
        bce.append(bce_loss(resized, mask)[0])
        if dice_of_empty or target.mask.area:
            dice.append(dice_loss(resized, mask)[0])
    return torch.stack(bce).sum(), torch.stack(dice).sum()


def query_alignment_loss(output: VSMOutput, targets: list[Target]) -> Tensor:
    """Sum of 1 - cosine(query, `Target.query`) over the expressions that have one.

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
    return torch.stack(terms).sum()
