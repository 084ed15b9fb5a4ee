"""MME's scores: accuracy, and accuracy over pairs, added up over categories.

Every image of a category has two questions, one answered yes and one no. A category scores
100 * (share of questions right + share of images with both right), at most 200; perception adds up
ten categories and cognition four (Fu et al., 2023; MME's eval_tool, calculation.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seal.metrics.intervals import RESAMPLES, proportion, resampled
from seal.metrics.metric import Metric

PERCEPTION = (
    "existence", "count", "position", "color", "posters", "celebrity", "scene", "landmark",
    "artwork", "OCR",
)  # fmt: skip
COGNITION = (
    "commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning",
)  # fmt: skip
CATEGORIES = (*PERCEPTION, *COGNITION)


@dataclass(frozen=True, slots=True)
class Pair:
    """Both questions of an image: whether they were answered right, and how many unreadably."""

    right: tuple[bool, bool]
    invalid: int = 0


def category_metrics(pairs: Sequence[Pair], *, seed: int = 0) -> dict[str, Metric]:
    """`score` (from 0 to 200), `accuracy` and `accuracy_plus` (fractions) of one category."""
    return _shares(pairs, seed) | {"score": total_score({"": pairs}, seed=seed)}


def total_metrics(categories: Mapping[str, Sequence[Pair]], *, seed: int = 0) -> dict[str, Metric]:
    """The same of several categories: scores added up, shares over all their questions."""
    every = [pair for pairs in categories.values() for pair in pairs]
    return _shares(every, seed) | {"score": total_score(categories, seed=seed)}


def total_score(categories: Mapping[str, Sequence[Pair]], *, seed: int = 0) -> Metric:
    """The sum of the categories' scores; the bootstrap draws images within each category.

    None if a category has no pair, since a sum over the others would look like a low score.
    """
    value = 0.0
    draws = np.zeros(RESAMPLES)
    for number, pairs in enumerate(categories.values()):
        if not pairs:
            return Metric(None, 0)
        right = np.array([sum(pair.right) for pair in pairs], np.float64)
        both = np.array([all(pair.right) for pair in pairs], np.float64)
        # In the order of the published code, whose last digit it shares.
        accuracy, plus = float(right.sum()) / (2 * len(pairs)), float(both.sum()) / len(pairs)
        value += accuracy * 100 + plus * 100
        columns = np.stack([right, both], axis=1)
        means = resampled(columns, np.ones(len(pairs)), seed=(seed, number))
        draws += 50 * means[:, 0] + 100 * means[:, 1]
    n = 2 * sum(map(len, categories.values()))
    invalid = sum(pair.invalid for pairs in categories.values() for pair in pairs)
    if all(len(pairs) == 1 for pairs in categories.values()):
        return Metric(value, n, invalid)
    low, high = np.percentile(draws, [2.5, 97.5])
    return Metric(value, n, invalid, float(low), float(high))


def _shares(pairs: Sequence[Pair], seed: int) -> dict[str, Metric]:
    invalid = sum(pair.invalid for pair in pairs)
    return {
        "accuracy": proportion(
            [right for pair in pairs for right in pair.right],
            invalid=invalid,
            clusters=[image for image in range(len(pairs)) for _ in range(2)],
            seed=seed,
        ),
        "accuracy_plus": proportion(
            [all(pair.right) for pair in pairs], invalid=sum(pair.invalid > 0 for pair in pairs)
        ),
    }
