"""Proportions with Wilson intervals, means and ratios with seeded bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from seal.metrics.metric import Metric

Z95 = 1.959963984540054  # two-sided 95% quantile of the normal distribution
RESAMPLES = 10_000
_DRAWS_AT_ONCE = 2_000_000  # bounds the memory of a bootstrap


def wilson(successes: int, n: int, z: float = Z95) -> tuple[float, float]:
    """(low, high) of a proportion; sound for small n and for none or all successes."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"expected 0 <= successes <= n and n > 0, got {successes} of {n}")
    share = successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # Rounding must not move the ends past what is possible.
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return low, high


def proportion(outcomes: Sequence[bool], *, invalid: int = 0) -> Metric:
    """The share of true outcomes; the `invalid` ones are among them, as failures."""
    n = len(outcomes)
    if n == 0:
        return Metric(None, 0, invalid)
    successes = sum(map(bool, outcomes))
    return Metric(successes / n, n, invalid, *wilson(successes, n))


def mean(values: Sequence[float], *, invalid: int = 0, seed: int = 0) -> Metric:
    """The mean with a percentile bootstrap interval; `invalid` items are not among the values."""
    return bootstrap(np.asarray(values, np.float64)[:, None], _mean, invalid=invalid, seed=seed)


def ratio(
    parts: Sequence[float], wholes: Sequence[float], *, invalid: int = 0, seed: int = 0
) -> Metric:
    """Sum of the parts over sum of the wholes, items resampled together."""
    columns = np.stack([np.asarray(parts, np.float64), np.asarray(wholes, np.float64)], axis=1)
    return bootstrap(columns, _ratio, invalid=invalid, seed=seed)


def bootstrap(
    items: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    invalid: int = 0,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Metric:
    """A statistic of n items with its percentile interval; the same seed gives the same interval.

    items: (n, k). statistic: (..., k) column means over the items -> (...,).
    """
    n = len(items)
    if n == 0:
        return Metric(None, 0, invalid)
    value = float(statistic(items.mean(0)))
    if n == 1:
        return Metric(value, 1, invalid)
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, items.shape[1]))
    step = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, resamples, step):
        draws = rng.integers(0, n, (min(step, resamples - start), n))
        means[start : start + len(draws)] = items[draws].mean(1)
    low, high = np.percentile(statistic(means), [2.5, 97.5])
    return Metric(value, n, invalid, float(low), float(high))


def _mean(means: np.ndarray) -> np.ndarray:
    return means[..., 0]


def _ratio(means: np.ndarray) -> np.ndarray:
    parts, wholes = means[..., 0], means[..., 1]
    return np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)
