"""Compare two systems on the same items: exact McNemar, sign flips, and paired differences."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seal.metrics.intervals import bootstrap, cluster_numbers, wilson
from seal.metrics.metric import Metric
from seal.metrics.power import design_effect, detectable_difference, detectable_mean_difference
from seal.metrics.sign_flip import sign_flip

MCNEMAR, SIGN_FLIP = "mcnemar", "sign_flip"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems on the same items, each of which earned a credit in [0, 1] from either."""

    difference: Metric  # of the mean credits, first minus second
    only_first: int  # items for which the first earned more; right-or-wrong: it alone was right
    only_second: int
    p_value: float  # two-sided, of `test`
    test: str  # mcnemar: exact, every item its own cluster; sign_flip: of whole clusters
    mcnemar_p_value: float | None  # as if items were unrelated; None: credits are not 0 or 1
    clusters: int  # that the items are of
    design_effect: float  # by how much clusters inflate the difference's variance
    detectable: float | None  # difference that as many items of this discordance show; see `power`

    def to_dict(self) -> dict[str, Any]:
        """What result files hold."""
        return {
            "difference": self.difference.to_dict(),
            "only_first": self.only_first,
            "only_second": self.only_second,
            "p_value": self.p_value,
            "test": self.test,
            "mcnemar_p_value": self.mcnemar_p_value,
            "clusters": self.clusters,
            "design_effect": self.design_effect,
            "detectable": self.detectable,
        }


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p-value: how surprising this split of the discordant pairs is if both are equal."""
    n = only_first + only_second
    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**n)  # whole numbers up to here: exact for any n


def compare(
    first: Sequence[float],
    second: Sequence[float],
    *,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Comparison:
    """What each of two systems earned, item by item: right-or-wrong, or credits in [0, 1].

    clusters: what each item belongs to, the image of a question, say; None: every item is its own.
    Items of one cluster are no independent evidence: they are resampled and flipped together.
    Where all differences are alike there is nothing to resample: then the interval reaches as far
    as Wilson's of no item that is otherwise, among as many as there are clusters.
    """
    _same_length(first, second)
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    n, differences = len(a), a - b
    groups = cluster_numbers(clusters, n)
    binary = bool(np.isin(np.concatenate([a, b]), (0.0, 1.0)).all())
    won, lost = int((differences > 0).sum()), int((differences < 0).sum())
    exact = mcnemar(won, lost) if binary else None
    effect = design_effect(differences, clusters) if n else 1.0
    if exact is not None and groups is None:
        test, p_value = MCNEMAR, exact
    else:
        test, p_value = SIGN_FLIP, sign_flip(differences, clusters, seed=seed)
    count = n if groups is None else int(groups.max()) + 1
    difference = paired_difference(first, second, clusters=clusters, seed=seed)
    if difference.low is not None and (differences == differences[0]).all():
        alike, otherwise = float(differences[0]), wilson(0, count)[1]
        low, high = max(-1.0, alike - otherwise), min(1.0, alike + otherwise)
        difference = replace(difference, low=low, high=high)
    return Comparison(
        difference,
        won,
        lost,
        p_value,
        test,
        exact,
        count,
        effect,
        _detectable(differences, binary, effect),
    )


def paired_difference(
    first: Sequence[float],
    second: Sequence[float],
    *,
    invalid: int = 0,
    clusters: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> Metric:
    """Mean of first minus second with a bootstrap interval that keeps the pairs together."""
    _same_length(first, second)
    differences = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    return bootstrap(
        differences[:, None],
        lambda means: means[..., 0],
        invalid=invalid,
        clusters=clusters,
        seed=seed,
    )


def _detectable(differences: np.ndarray, binary: bool, effect: float) -> float | None:
    """None: no difference was seen, or none could be shown."""
    n, deviation = len(differences), float(differences.std()) if len(differences) else 0.0
    if not differences.any():
        return None
    # Clusters that differ less than chance would have them are no larger benchmark.
    effect = max(1.0, effect)
    if binary:
        return detectable_difference(n, float(np.mean(differences != 0)), design_effect=effect)
    return detectable_mean_difference(deviation, n, effect=effect)


def _same_length(first: Sequence[float], second: Sequence[float]) -> None:
    if len(first) != len(second):
        raise ValueError(
            f"a paired comparison needs the same items on both sides: {len(first)} and "
            f"{len(second)}"
        )
