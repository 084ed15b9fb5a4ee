"""Compare two systems on the same items: exact McNemar, and paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seal.metrics.intervals import bootstrap
from seal.metrics.metric import Metric


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two systems on the same right-or-wrong items."""

    difference: Metric  # of the shares, first minus second
    only_first: int  # items that only the first got right
    only_second: int
    p_value: float  # exact McNemar, two-sided

    def to_dict(self) -> dict[str, Any]:
        """What result files hold."""
        return {
            "difference": self.difference.to_dict(),
            "only_first": self.only_first,
            "only_second": self.only_second,
            "p_value": self.p_value,
        }


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p-value: how surprising this split of the discordant pairs is if both are equal."""
    n = only_first + only_second
    tail = sum(math.comb(n, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, 2 * tail / 2**n)  # whole numbers up to here: exact for any n


def compare(first: Sequence[bool], second: Sequence[bool], *, seed: int = 0) -> Comparison:
    """Right-or-wrong outcomes of two systems, item by item."""
    _same_length(first, second)
    pairs = list(zip(map(bool, first), map(bool, second), strict=True))
    only_first = sum(a and not b for a, b in pairs)
    only_second = sum(b and not a for a, b in pairs)
    return Comparison(
        paired_difference(first, second, seed=seed),
        only_first,
        only_second,
        mcnemar(only_first, only_second),
    )


def paired_difference(
    first: Sequence[float], second: Sequence[float], *, invalid: int = 0, seed: int = 0
) -> Metric:
    """Mean of first minus second with a bootstrap interval that keeps the pairs together."""
    _same_length(first, second)
    differences = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    return bootstrap(differences[:, None], lambda means: means[..., 0], invalid=invalid, seed=seed)


def _same_length(first: Sequence[float], second: Sequence[float]) -> None:
    if len(first) != len(second):
        raise ValueError(
            f"a paired comparison needs the same items on both sides: {len(first)} and "
            f"{len(second)}"
        )
