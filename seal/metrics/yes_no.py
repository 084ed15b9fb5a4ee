"""Yes-or-no questions about what is in an image: accuracy, and the errors of each kind."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from seal.metrics.intervals import bootstrap, proportion, ratio, wilson
from seal.metrics.metric import Metric

_WORD = re.compile(r"\b(yes|no|not)\b", re.IGNORECASE)


def says_yes(answer: str) -> bool | None:
    """What the first "yes", "no" or "not" of an answer says; None: it has none of them."""
    found = _WORD.search(answer)
    return None if found is None else found[1].lower() == "yes"


def yes_no_metrics(
    said: Sequence[bool | None],
    true: Sequence[bool],
    *,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> dict[str, Metric]:
    """Accuracy, and precision, recall and F1 of "yes", and the share of answers that are "yes".

    An answer that says neither counts as wrong, and as no "yes", and is told in `invalid`.
    clusters: the image of each question, for intervals that know that they belong together.
    """
    if len(said) != len(true):
        raise ValueError(f"{len(said)} answers to {len(true)} questions")
    unclear = sum(answer is None for answer in said)
    hits = [float(answer is True and truth) for answer, truth in zip(said, true, strict=True)]
    called = [float(answer is True) for answer in said]
    there = [float(truth) for truth in true]
    f1 = bootstrap(
        np.array([hits, called, there]).T.reshape(-1, 3),
        _f1,
        invalid=unclear,
        clusters=clusters,
        seed=seed,
    )
    precision, recall = (
        _extreme(
            ratio(hits, wholes, invalid=unclear, clusters=clusters, seed=seed), wholes, clusters
        )
        for wholes in (called, there)
    )
    if f1.value in (0.0, 1.0):  # it lies between the two: so do its bounds
        ends = [end for m in (precision, recall) for end in (m.low, m.high) if end is not None]
        f1 = replace(f1, low=min(ends, default=None), high=max(ends, default=None))
    share = partial(proportion, invalid=unclear, clusters=clusters, seed=seed)
    return {
        "accuracy": share([answer is truth for answer, truth in zip(said, true, strict=True)]),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "yes": share([answer is True for answer in said]),
    }


def mean_f1(
    said: Sequence[bool | None],
    true: Sequence[bool],
    groups: Sequence[Hashable],
    *,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Metric:
    """The mean of each group's F1 of "yes"; the same images may be asked about in every group."""
    names = list(dict.fromkeys(groups))
    items = np.zeros((len(said), 3 * len(names)))
    for row, (answer, truth, group) in enumerate(zip(said, true, groups, strict=True)):
        at = 3 * names.index(group)
        items[row, at : at + 3] = answer is True and truth, answer is True, truth

    def statistic(means: np.ndarray) -> np.ndarray:
        return np.mean([_f1(means[..., at : at + 3]) for at in range(0, items.shape[1], 3)], axis=0)

    unclear = sum(answer is None for answer in said)
    return bootstrap(items, statistic, invalid=unclear, clusters=clusters, seed=seed)


def _extreme(
    metric: Metric, wholes: Sequence[float], clusters: Sequence[Hashable] | None
) -> Metric:
    """Resampling hits alone, or misses alone, tells nothing: none or all get Wilson's bounds.

    Counted are the clusters that have such an answer, as if each of them were one.
    """
    if metric.value not in (0.0, 1.0):
        return metric
    if not any(wholes):
        return replace(metric, low=None, high=None)
    names = range(len(wholes)) if clusters is None else clusters
    count = len({name for name, whole in zip(names, wholes, strict=True) if whole})
    low, high = wilson(round(metric.value) * count, count)
    return replace(metric, low=low, high=high)


def _f1(means: np.ndarray) -> np.ndarray:
    """2 hits / (called + there), which is the harmonic mean of precision and recall."""
    both = means[..., 1] + means[..., 2]
    return np.divide(2 * means[..., 0], both, out=np.zeros_like(both), where=both > 0)
