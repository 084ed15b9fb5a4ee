"""Overlap of predicted and true masks over a data set: cIoU and gIoU."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from seal.metrics.intervals import mean, ratio
from seal.metrics.metric import Metric


def overlap(predicted: np.ndarray, truth: np.ndarray) -> tuple[int, int]:
    """(intersection, union) in pixels of two (H, W) masks."""
    if predicted.shape != truth.shape:
        raise ValueError(
            f"masks of different sizes cannot be compared: {predicted.shape}, {truth.shape}"
        )
    first, second = predicted.astype(bool), truth.astype(bool)
    return int((first & second).sum()), int((first | second).sum())


def ciou(
    overlaps: Sequence[tuple[int, int]],
    *,
    invalid: int = 0,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Metric:
    """Cumulative IoU: all intersections over all unions, so large masks count more."""
    intersections, unions = [pair[0] for pair in overlaps], [pair[1] for pair in overlaps]
    return ratio(intersections, unions, invalid=invalid, clusters=clusters, seed=seed)


def giou(
    overlaps: Sequence[tuple[int, int]],
    *,
    invalid: int = 0,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Metric:
    """Mean of the IoU of each mask; an empty prediction of an empty mask counts 1."""
    values = [inter / union if union else 1.0 for inter, union in overlaps]
    return mean(values, invalid=invalid, clusters=clusters, seed=seed)
