"""The losses of AVG-LLaVA's two stages: over levels of granularity, and of the router on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seal.batch import KEPT_POLICY, Batch, Routes, VQAOutput
from seal.losses.ranking import best_level_losses, ranking_losses
from seal.losses.vqa import LABEL_LOSSES, label_losses

_PART = "ce_"  # before the level


class GranularityLoss:
    """The mean over the levels of the mean cross-entropy at each (avg_llava.md, stage 3).

    One part a level, `ce_36` for example: a sum that is divided by the labels at that level and by
    the number of levels, so that the parts add up to the mean. What shows no picture is the same at
    every level, and counts for each.

    Rows of a token policy that is kept (`ChatConfig.kept_policy`) weigh as one more level does,
    under the name `ce_policy`.
    """

    def __init__(self, levels: Sequence[int], *, kept_policy: bool = False) -> None:
        self.levels = (*levels, KEPT_POLICY) if kept_policy else tuple(levels)

    def weights(self, batch: Batch) -> dict[str, float]:
        """How much each part counts; known on the host, before any forward pass."""
        counted = torch.bincount(batch.label_rows, minlength=len(batch.row_levels)).tolist()
        labels = dict.fromkeys((0, *self.levels), 0)
        for level, count in zip(batch.row_levels, counted, strict=True):
            labels[level] += count
        return {
            _part(level): float((labels[0] + labels[level]) * len(self.levels))
            for level in self.levels
        }

    def __call__(self, batch: Batch, output: VQAOutput) -> dict[str, Tensor]:
        """Sums over the labels of the micro-batch at each level, and the loss of each label."""
        each = label_losses(output.logits, batch)
        of_row = torch.tensor(batch.row_levels).to(each.device, non_blocking=True)
        of_label = of_row[batch.label_rows]  # (T,)
        zero = each.new_zeros(())
        parts = {
            _part(level): torch.where((of_label == level) | (of_label == 0), each, zero).sum()
            for level in self.levels
        }
        return {**parts, LABEL_LOSSES: each.detach()}


def _part(level: int) -> str:
    return f"{_PART}{'policy' if level == KEPT_POLICY else level}"


def level_losses(means: Mapping[str, float]) -> dict[str, float]:
    """From the parts of `GranularityLoss` as means: the cross-entropy at each level,
    `loss/at_36`, and of a kept policy `loss/at_policy`; nothing from those of another loss."""
    parts = {name: mean for name, mean in means.items() if name.startswith(_PART)}
    return {
        f"loss/at_{name.removeprefix(_PART)}": mean * len(parts) for name, mean in parts.items()
    }


@dataclass(kw_only=True, slots=True)
class RouterLossConfig:
    """Weights of the parts; the defaults are the paper's."""

    margin: float = 1.0  # by which scores must differ, a unit of loss apart
    rank_weight: float = 1.0
    ce_weight: float = 0.1  # of the cross-entropy towards the best level
    # What reading all of a picture's tokens costs in units of loss, fewer in proportion: of levels
    # about as good the cheaper is the better one. 0: the paper's feedback, the loss alone.
    token_price: float = 0.0

    def __post_init__(self) -> None:
        if min(self.margin, self.rank_weight, self.ce_weight, self.token_price) < 0:
            raise ValueError(
                f"margin={self.margin}, rank_weight={self.rank_weight}, ce_weight={self.ce_weight} "
                f"and token_price={self.token_price} must not be negative"
            )
        if not self.rank_weight and not self.ce_weight:
            raise ValueError("rank_weight=0 and ce_weight=0 teach a router nothing: raise one")

    def build(self) -> RouterLoss:
        return RouterLoss(self)


class RouterLoss:
    """Ranking by the language model's own losses, and cross-entropy towards the best level.

    Named, weighted parts: `rank` and `best_level`, each a sum over pictures (avg_llava.md, stage
    4). The model's losses are feedback: no gradient goes through them.
    """

    def __init__(self, config: RouterLossConfig | None = None) -> None:
        self.config = config or RouterLossConfig()

    def weights(self, batch: Batch) -> dict[str, float]:
        """The number of pictures, for each part.

        Raises:
            ValueError: a picture's levels cannot be compared, for a row has no label.
        """
        pictures = 0
        if batch.routes is not None:
            pictures = len(batch.routes.rows)
            counted = torch.bincount(batch.label_rows, minlength=len(batch.ids))
            for row in (counted[batch.routes.rows] == 0).nonzero()[:1].tolist():
                name = batch.ids[int(batch.routes.rows[row[0], row[1]])]
                raise ValueError(
                    f"sample {name}: no token of it carries a label, so a router cannot learn "
                    "which level of its picture is best; correct the record, or raise the length "
                    "limit that cuts its answer away"
                )
        return {"rank": float(pictures), "best_level": float(pictures)}

    def __call__(self, batch: Batch, output: VQAOutput) -> dict[str, Tensor]:
        """Sums over the pictures of the micro-batch."""
        scores = output.router_scores
        if scores is None:
            raise ValueError("the model hands out no router's scores: train one that has a router")
        if batch.routes is None:  # nothing to learn; zeros that depend on the router
            zero = scores.float().sum()
            return {"rank": zero, "best_level": zero}
        tokens = batch.routes.tokens
        feedback = picture_losses(batch, batch.routes, output)
        feedback = feedback + self.config.token_price * (tokens / tokens[:, -1:])
        rank = ranking_losses(scores, feedback, margin=self.config.margin).sum()
        best = best_level_losses(scores, feedback).sum()
        # Sorting hides a loss that is not a number; it must end the step.
        unseen = 0.0 * feedback.sum()
        return {
            "rank": self.config.rank_weight * rank + unseen,
            "best_level": self.config.ce_weight * best,
        }


def picture_losses(batch: Batch, routes: Routes, output: VQAOutput) -> Tensor:
    """(P, levels) float32: the model's mean cross-entropy of the row that shows each picture at
    each level; no graph is kept."""
    each = label_losses(output.logits.detach(), batch)
    sums, counts = (each.new_zeros(len(batch.ids)) for _ in range(2))
    sums = sums.index_add(0, batch.label_rows, each)
    counts = counts.index_add(0, batch.label_rows, torch.ones_like(each))
    return (sums / counts.clamp(min=1))[routes.rows]
