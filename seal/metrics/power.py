"""How small a difference between two systems a benchmark of some size can show."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import lru_cache

import numpy as np

from seal.metrics.intervals import cluster_numbers

POWER = 0.8  # how often a difference of the detectable size is shown
ALPHA = 0.05  # how often one is shown where there is none, two-sided
_TAILS = 1e-9  # numbers of discordant questions that are rarer are left out
_STEPS = 40  # of the bisection: far below one question


def detectable_difference(
    n: int,
    discordant: float,
    *,
    design_effect: float = 1.0,
    power: float = POWER,
    alpha: float = ALPHA,
) -> float | None:
    """The smallest true difference of two accuracies, a fraction, that n questions can show.

    Both systems answer the same questions and are compared by McNemar's exact test, whose power is
    summed over how many questions could turn out discordant. None: not even if all discordant
    questions went to one system would it be shown often enough.

    Args:
        n: questions that both answered.
        discordant: share of them, in [0, 1], that one system gets right and the other does not.
        design_effect: by how much clusters inflate the variance; see `design_effect` below. The
            benchmark then counts as n / design_effect questions.
        power, alpha: chances of showing a difference that is there, and one that is not.

    Raises:
        ValueError: a number out of its range.
    """
    if n < 1:
        raise ValueError(f"n={n} must be at least 1")
    if not 0 <= discordant <= 1:
        raise ValueError(f"discordant={discordant} must be a share from 0 to 1")
    if not design_effect > 0:
        raise ValueError(f"design_effect={design_effect} must be above 0")
    if not 0 < alpha < power < 1:
        raise ValueError(f"alpha={alpha} and power={power}: expected 0 < alpha < power < 1")
    effective = max(1, int(n / design_effect))
    low, high = 0.0, discordant
    if discordant == 0 or mcnemar_power(effective, discordant, high, alpha=alpha) < power:
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if mcnemar_power(effective, discordant, middle, alpha=alpha) < power:
            low = middle
        else:
            high = middle
    return high


def mcnemar_power(n: int, discordant: float, difference: float, *, alpha: float = ALPHA) -> float:
    """How often McNemar's exact test of n questions finds a p-value of at most alpha.

    discordant: the true share of discordant questions. difference: of the true accuracies, from 0
    to `discordant`.
    """
    from scipy.stats import binom

    counts, most = _critical(n, discordant, alpha)
    weights = binom.pmf(counts, n, discordant)
    won = 0.5 + difference / (2 * discordant)  # share of the discordant that the better one gets
    # `most` of -1 is no critical value: so few discordant questions are never enough.
    shown = binom.cdf(most, counts, 1 - won) + binom.cdf(most, counts, won)
    return float((weights * shown).sum())


@lru_cache(maxsize=64)
def _critical(n: int, discordant: float, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Likely numbers of discordant questions; the most of them a loser may have, -1: none."""
    from scipy.stats import binom

    low, high = (int(v) for v in binom.ppf([_TAILS, 1 - _TAILS], n, discordant))
    counts = np.arange(max(0, low), min(n, high) + 1)
    most = binom.ppf(alpha / 2, counts, 0.5).astype(int)
    most = np.where(binom.cdf(most, counts, 0.5) > alpha / 2, most - 1, most)
    return counts, np.where(counts == 0, -1, most)


def design_effect(
    values: Sequence[float] | np.ndarray, clusters: Sequence[Hashable] | None
) -> float:
    """By how much the variance of the mean grows because values come in clusters; 1: not at all.

    The variance between cluster totals (Kish, 1965) over that of as many unrelated values. 1 as
    well where the values or the clusters are too few to tell; below 1 if clusters are more alike
    than chance would make them.
    """
    groups = cluster_numbers(clusters, len(values))
    if groups is None:
        return 1.0
    rest = np.asarray(values, np.float64) - np.mean(values)
    alone = float((rest**2).sum())
    count = int(groups.max()) + 1
    if alone == 0 or count < 2:
        return 1.0
    together = float((np.bincount(groups, rest) ** 2).sum()) * count / (count - 1)
    return together / alone * (len(values) - 1) / len(values)


def detectable_mean_difference(
    deviation: float, n: int, *, effect: float = 1.0, power: float = POWER, alpha: float = ALPHA
) -> float:
    """The smallest true mean difference that n paired credits can show, by the normal curve.

    deviation: standard deviation of the differences, one a question. effect: of the clusters.
    """
    from scipy.stats import norm

    quantiles = float(norm.ppf(1 - alpha / 2) + norm.ppf(power))
    return quantiles * deviation * math.sqrt(effect / n)
