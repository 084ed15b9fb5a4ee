"""Proportions with Wilson intervals, means and ratios with seeded bootstrap intervals.

Items that belong together, such as the questions of one image, may be named as clusters: then the
clusters are resampled (Field and Welsh, 2007), not the items.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence

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


def proportion(
    outcomes: Sequence[bool],
    *,
    invalid: int = 0,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Metric:
    """The share of true outcomes; the `invalid` ones are among them, as failures.

    The interval is Wilson's, or where clusters have several items the bootstrap over clusters.
    Where all outcomes are alike there is nothing to resample: then it is Wilson's of as many items
    as there are clusters, as if each cluster were one item.
    """
    n = len(outcomes)
    if n == 0:
        return Metric(None, 0, invalid)
    successes = sum(map(bool, outcomes))
    groups = cluster_numbers(clusters, n)
    if groups is None:
        return Metric(successes / n, n, invalid, *wilson(successes, n))
    if 0 < successes < n:
        return mean([float(bool(o)) for o in outcomes], invalid=invalid, clusters=groups, seed=seed)
    count = int(groups.max()) + 1
    return Metric(successes / n, n, invalid, *wilson(count if successes else 0, count))


def mean(
    values: Sequence[float],
    *,
    invalid: int = 0,
    clusters: Sequence[Hashable] | np.ndarray | None = None,
    seed: int = 0,
) -> Metric:
    """The mean with a percentile bootstrap interval; `invalid` items are not among the values."""
    columns = np.asarray(values, np.float64)[:, None]
    return bootstrap(columns, _mean, invalid=invalid, clusters=clusters, seed=seed)


def ratio(
    parts: Sequence[float],
    wholes: Sequence[float],
    *,
    invalid: int = 0,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Metric:
    """Sum of the parts over sum of the wholes, items resampled together."""
    columns = np.stack([np.asarray(parts, np.float64), np.asarray(wholes, np.float64)], axis=1)
    return bootstrap(columns, _ratio, invalid=invalid, clusters=clusters, seed=seed)


def bootstrap(
    items: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    invalid: int = 0,
    clusters: Sequence[Hashable] | np.ndarray | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Metric:
    """A statistic of n items with its percentile interval; the same seed gives the same interval.

    Items of one cluster (the questions of one image, say) are drawn together, since they say less
    than as many unrelated ones. A single cluster says nothing about the spread: no interval.

    Args:
        items: (n, k).
        statistic: (..., k) column means over the items -> (...,).
        clusters: (n,) what each item belongs to; None: every item is its own.

    Raises:
        ValueError: not as many clusters as items.
    """
    n = len(items)
    if n == 0:
        return Metric(None, 0, invalid)
    value = float(statistic(items.mean(0)))
    if n == 1:
        return Metric(value, 1, invalid)
    groups = cluster_numbers(clusters, n)
    if groups is None:
        draws = resampled(items, np.ones(n), seed=seed, resamples=resamples)
    elif groups.max() == 0:
        return Metric(value, n, invalid)
    else:
        sums = np.stack([np.bincount(groups, column) for column in items.T], axis=1)
        draws = resampled(sums, np.bincount(groups), seed=seed, resamples=resamples)
    low, high = np.percentile(statistic(draws), [2.5, 97.5])
    return Metric(value, n, invalid, float(low), float(high))


def resampled(
    sums: np.ndarray,
    sizes: np.ndarray,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> np.ndarray:
    """(resamples, k) column means of clusters, drawn with replacement and as many as there are.

    sums: (c, k) of each cluster's items. sizes: (c,) how many items those are.
    """
    count = len(sums)
    rng = np.random.default_rng(seed)
    means = np.empty((resamples, sums.shape[1]))
    step = max(1, _DRAWS_AT_ONCE // count)
    for start in range(0, resamples, step):
        draws = rng.integers(0, count, (min(step, resamples - start), count))
        drawn = sizes[draws].sum(1, keepdims=True)
        means[start : start + len(draws)] = sums[draws].sum(1) / drawn
    return means


def cluster_numbers(clusters: Sequence[Hashable] | np.ndarray | None, n: int) -> np.ndarray | None:
    """(n,) the number of each item's cluster, in order of appearance; None: each is its own.

    Raises:
        ValueError: not as many clusters as items.
    """
    if clusters is None:
        return None
    if len(clusters) != n:
        raise ValueError(f"{len(clusters)} clusters of {n} items: every item belongs to one")
    numbers: dict[Hashable, int] = {}
    groups = np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters], int)
    return None if len(numbers) == n else groups


def _mean(means: np.ndarray) -> np.ndarray:
    return means[..., 0]


def _ratio(means: np.ndarray) -> np.ndarray:
    parts, wholes = means[..., 0], means[..., 1]
    return np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes > 0)
