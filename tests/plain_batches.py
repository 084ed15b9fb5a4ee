"""Batches of text alone, and the losses of one as means."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from seal.batch import Batch, Row, Sample, Target
from seal.data.collate import collate
from seal.losses.matcher import match_all
from seal.losses.vqa import LABEL_LOSSES


def plain_batch(labels: Tensor, targets: list[Target] | None = None, step: int = 0) -> Batch:
    """Rows of the given labels (B, L), whose tokens are 0 where nothing is learnt."""
    samples = [
        Sample(str(number), (Row(row.clamp(min=0), row),)) for number, row in enumerate(labels)
    ]
    batch = collate(samples, pad_id=0)
    batch.targets = targets or []
    batch.step = step
    return batch


def mean_losses(criterion: Any, batch: Batch, output: Any) -> dict[str, Tensor]:
    """Each named sum over its weight, as for a step of this one micro-batch."""
    weights = criterion.weights(batch)
    sums = named_sums(criterion, batch, output)
    return {name: value / max(weights[name], 1) for name, value in sums.items()}


def named_sums(criterion: Any, batch: Batch, output: Any) -> dict[str, Tensor]:
    """The sums that have a weight; beside them stands the loss of each label."""
    found = criterion(batch, output)
    assert set(found) - {LABEL_LOSSES} == set(criterion.weights(batch))
    return {name: value for name, value in found.items() if name != LABEL_LOSSES}


def match(logits: Tensor, pred_cxcywh: Tensor, boxes_cxcywh: Tensor) -> tuple[Tensor, Tensor]:
    """The matched candidates and boxes of one expression. (Q,), (Q, 4) and (n, 4) -> (k,) twice."""
    pairs = match_all(logits[None], pred_cxcywh[None], [boxes_cxcywh])
    return pairs.candidates, pairs.boxes
