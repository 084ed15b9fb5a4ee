"""MME's scores: accuracy, and accuracy over pairs, added up over categories.

Every image of a category has two questions, one answered yes and one no. A category scores
100 * (share of questions right + share of images with both right), at most 200; perception adds up
ten categories and cognition four (Fu et al., 2023; MME's eval_tool, calculation.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seal.metrics.intervals import RESAMPLES, proportion
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


def mme_metrics(categories: Mapping[str, Sequence[Pair]], *, seed: int = 0) -> dict[str, Metric]:
    """`score`, `accuracy` and `accuracy_plus` of one category, or of several together.

    Scores are added up, up to 200 each; the others are fractions of all questions, or images.
    Intervals are of a bootstrap that draws images within each category. The score is None if a
    category has no pair, since a sum over the others would look like a low one.
    """
    every = [pair for pairs in categories.values() for pair in pairs]
    plus = proportion(
        [all(pair.right) for pair in every], invalid=sum(pair.invalid > 0 for pair in every)
    )
    n, invalid = 2 * len(every), sum(pair.invalid for pair in every)
    if not every:
        return {"score": Metric(None, 0), "accuracy": Metric(None, 0), "accuracy_plus": plus}
    value = right = 0.0
    scores, rights = np.zeros(RESAMPLES), np.zeros(RESAMPLES)
    for number, pairs in enumerate(categories.values()):
        if not pairs:
            continue
        both = sum(all(pair.right) for pair in pairs)
        one = sum(any(pair.right) for pair in pairs) - both
        # In the order of the published code, whose last digit it shares.
        value += (2 * both + one) / (2 * len(pairs)) * 100 + both / len(pairs) * 100
        right += 2 * both + one
        # Which images are drawn does not matter, only how many of each kind: that is multinomial.
        rng = np.random.default_rng((seed, number))
        shares = np.array([both, one, len(pairs) - both - one]) / len(pairs)
        drawn = rng.multinomial(len(pairs), shares, RESAMPLES)
        rights += 2 * drawn[:, 0] + drawn[:, 1]
        scores += (4 * drawn[:, 0] + drawn[:, 1]) / (2 * len(pairs)) * 100
    accuracy = Metric(right / n, n, invalid, *_between(rights / n))
    if right in (0, n):  # all alike: as many items as there are images, to Wilson
        accuracy = replace(accuracy, low=plus.low, high=plus.high)
    return {
        "score": Metric(value, n, invalid, *_between(scores))
        if all(categories.values())
        else Metric(None, 0),
        "accuracy": accuracy,
        "accuracy_plus": plus,
    }


def _between(draws: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)
