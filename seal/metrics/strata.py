"""The mean over groups of each group's mean, as benchmarks average sub-tasks or repetitions."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from fractions import Fraction

import numpy as np

from seal.metrics.intervals import RESAMPLES, cluster_numbers, proportion
from seal.metrics.metric import Metric


def mean_of_means(
    values: Sequence[float],
    strata: Sequence[Hashable],
    *,
    invalid: int = 0,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Metric:
    """Every stratum counts alike, however many values it has; the interval resamples clusters.

    A stratum that a resample leaves empty is not in that resample's mean. Where all values are 0,
    or all 1, there is nothing to resample: the interval is that of a `proportion`.

    Args:
        values: (n,) of the items.
        strata: (n,) the stratum of each.
        clusters: (n,) see `bootstrap`.
    """
    n = len(values)
    if n == 0:
        return Metric(None, 0, invalid)
    if set(values) in ({0.0}, {1.0}):
        return proportion([value == 1 for value in values], invalid=invalid, clusters=clusters)
    names = list(dict.fromkeys(strata))
    member = np.array([[stratum == name for name in names] for stratum in strata], float)
    columns = np.concatenate([member * np.asarray(values, float)[:, None], member], axis=1)
    groups = cluster_numbers(clusters, n)
    if groups is not None:
        columns = np.stack([np.bincount(groups, column) for column in columns.T], axis=1)
    value = _exactly(values, strata)
    if len(columns) == 1:  # one cluster says nothing about the spread
        return Metric(value, n, invalid)
    # Clusters that are alike are drawn together: tens of thousands come in a few kinds.
    kinds, counts = np.unique(columns, axis=0, return_counts=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(columns), counts / len(columns), RESAMPLES) @ kinds
    low, high = np.percentile(_mean_of_ratios(drawn), [2.5, 97.5])
    return Metric(value, n, invalid, float(low), float(high))


def _exactly(values: Sequence[float], strata: Sequence[Hashable]) -> float:
    """As a fraction: 157 of 400 is 0.3925, in whatever order it is added up."""
    of: dict[Hashable, list[Fraction]] = {}
    for value, stratum in zip(values, strata, strict=True):
        of.setdefault(stratum, []).append(Fraction(value))
    return float(sum(sum(one) / len(one) for one in of.values()) / len(of))


def _mean_of_ratios(drawn: np.ndarray) -> np.ndarray:
    """(..., 2k): k sums, then k counts -> (...,)."""
    sums, counts = np.split(drawn, 2, axis=-1)
    there = counts > 0
    ratios = np.divide(sums, counts, out=np.zeros_like(sums), where=there)
    return np.asarray(ratios.sum(-1) / there.sum(-1))
