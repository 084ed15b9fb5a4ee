"""Whether a box is on its target."""

from __future__ import annotations

from collections.abc import Iterable

from seal.geometry import Box

HIT_IOU = 0.5  # a hit overlaps more than this


def best_iou(box: Box | None, truths: Iterable[Box]) -> float:
    """The largest overlap with a true box; 0 without a box or a truth."""
    if box is None:
        return 0.0
    return max((box.iou(truth) for truth in truths), default=0.0)


def is_hit(box: Box | None, truths: Iterable[Box], threshold: float = HIT_IOU) -> bool:
    """Whether the box overlaps some true box by more than `threshold`."""
    return best_iou(box, truths) > threshold
