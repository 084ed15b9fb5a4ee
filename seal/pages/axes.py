"""Axes of a picture: where a value stands, and which values are marked, on a line or in decades."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_DECADES_FROM = 10.0  # largest over smallest value, where an axis counts in decades
_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps values to pixels between `start` and `end`. A logarithmic one has a place for 0."""

    low: float
    high: float
    start: float
    end: float
    decades: bool = False
    zero: bool = False  # some value is 0: on a logarithmic axis it stands before all others

    def place(self, value: float) -> float:
        """Pixels of a value."""
        start = self.start
        if self.decades:
            if self.zero:
                start += 0.12 * (self.end - self.start)
                if value <= 0:
                    return self.start + 0.04 * (self.end - self.start)
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return start + share * (self.end - start)

    def ticks(self, count: int = 6) -> list[float]:
        """Round values between the ends, about `count` of them."""
        if not self.decades:
            return line_ticks(self.low, self.high, count)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        steps = (1, 2, 5) if last - first <= 2 else (1, 3) if last - first == 3 else (1,)
        every = max(1, -(-(last - first) // 8))
        marks = [step * 10.0**power for power in range(first, last + 1, every) for step in steps]
        marks = [mark for mark in marks if self.low <= mark <= self.high]
        return [0.0, *marks] if self.zero else marks


def axis(values: Sequence[float], start: float, end: float, *, decades: bool = False) -> Axis:
    """An axis that shows all `values` with a little room.

    decades: count in decades where positive values are far apart (ten times or more).

    Raises:
        ValueError: there is no value, one is not finite, or one is below 0 and `decades` is set.
    """
    if not values or not all(map(math.isfinite, values)):
        raise ValueError(f"an axis needs finite values, got {list(values)[:5]}")
    if decades and min(values) < 0:
        raise ValueError(f"an axis in decades has no place for {min(values)}")
    positive = [value for value in values if value > 0]
    if decades and positive and max(positive) / min(positive) >= _DECADES_FROM:
        zero = len(positive) < len(values)
        return Axis(min(positive) / 1.3, max(positive) * 1.3, start, end, True, zero)
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or abs(high) * 0.1 or 1.0
    floor = 0.0 if low >= 0 else -math.inf  # what is never negative is not shown below 0
    return Axis(max(low - room, floor), high + room, start, end)


def line_ticks(low: float, high: float, count: int) -> list[float]:
    """Round values from `low` to `high`, about `count` of them."""
    rough = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = min(_ROUND, key=lambda step: abs(math.log(step * power / rough))) * power
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def short(value: float) -> str:
    """A value as an axis writes it: 0.05, 12, 3k, 1.2M."""
    for size, mark in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{mark}"
    return f"{value:.3g}"
