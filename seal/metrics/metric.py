"""A number that says how much it can be trusted: how many items, how many unusable, an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Metric:
    """A value over `n` items. Fractions are in [0, 1]; `value=None` means there was no item.

    `invalid` counts the items without a usable answer. A proportion keeps them in `n`, as
    failures; a mean leaves them out of `n`.
    """

    value: float | None
    n: int
    invalid: int = 0
    low: float | None = None  # 95% interval; None where one item or none says nothing about it
    high: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """What result files hold."""
        return {
            "value": self.value,
            "n": self.n,
            "invalid": self.invalid,
            "low": self.low,
            "high": self.high,
        }
