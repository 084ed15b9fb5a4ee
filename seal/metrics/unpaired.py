"""The difference of two numbers that do not come from the same items, with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from seal.metrics.intervals import wilson


def difference_from(
    metric: Mapping[str, Any], other: float, *, n: int | None = None
) -> tuple[float, float | None, float | None]:
    """A metric minus a number that somebody published: (difference, low, high).

    Each side's distances to its own limits are joined as the sides of a right angle: Newcombe's
    method 10 for two proportions (Statistics in Medicine 17, 1998), and for any two intervals
    Zou and Donner (2008). Of two systems on the same questions it is wider than a paired one.

    Args:
        metric: of a result file; its value must be there. Without limits the difference has none.
        other: in the metric's own unit. With `n`, a proportion of n items whose limits are
            Wilson's; without, it is taken as exact.
    """
    value, low, high = metric["value"], metric["low"], metric["high"]
    if low is None or high is None:
        return value - other, None, None
    other_low, other_high = (other, other) if n is None else wilson_of_share(other, n)
    return (
        value - other,
        value - other - math.hypot(value - low, other_high - other),
        value - other + math.hypot(high - value, other - other_low),
    )


def wilson_of_share(share: float, n: int) -> tuple[float, float]:
    """Wilson's limits of a printed share of n items.

    Raises:
        ValueError: the share is none of n items, or n is 0.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"{share} is no share of {n} items: it is not between 0 and 1")
    return wilson(round(share * n), n)
