"""The mean over groups of each group's mean, as benchmarks average sub-tasks or repetitions."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from seal.metrics.intervals import bootstrap
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

    A stratum that a resample leaves empty is not in that resample's mean.

    Args:
        values: (n,) of the items.
        strata: (n,) the stratum of each.
        clusters: (n,) see `bootstrap`.
    """
    names = list(dict.fromkeys(strata))
    member = np.array([[stratum == name for name in names] for stratum in strata], float)
    member = member.reshape(len(values), len(names))
    columns = np.concatenate([member * np.asarray(values, float)[:, None], member], axis=1)
    found = bootstrap(columns, _mean_of_ratios, invalid=invalid, clusters=clusters, seed=seed)
    return found if found.value is None else replace(found, value=_exactly(values, strata))


def _exactly(values: Sequence[float], strata: Sequence[Hashable]) -> float:
    """As a fraction: 157 of 400 is 0.3925, in whatever order it is added up."""
    of: dict[Hashable, list[Fraction]] = {}
    for value, stratum in zip(values, strata, strict=True):
        of.setdefault(stratum, []).append(Fraction(value))
    return float(sum(sum(one) / len(one) for one in of.values()) / len(of))


def _mean_of_ratios(means: np.ndarray) -> np.ndarray:
    """(..., 2k): shares of k sums, then of k counts -> (...,)."""
    sums, counts = np.split(means, 2, axis=-1)
    there = counts > 0
    ratios = np.divide(sums, counts, out=np.zeros_like(sums), where=there)
    return np.asarray(ratios.sum(-1) / there.sum(-1))
