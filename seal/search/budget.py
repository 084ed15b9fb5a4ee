"""How much one search may take: visits, questions, time; and what ends it when that is spent."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeVar

from seal.search.protocol import Ask, AskAll

Found = TypeVar("Found")


class BudgetSpentError(Exception):
    """Raised in a search where it would go on; its text is what it has had, as in `12 nodes`.

    A search that catches it ends with what it has; one that does not is ended by whoever runs it.
    """


@dataclass(kw_only=True, slots=True)
class BudgetConfig:
    """Of one search. None: as much as it takes."""

    nodes: int | None = None  # regions visited
    seconds: float | None = None  # by the clock, since the search began; others may run beside it
    # Questions put to models; not what is evaluated ahead, nor a target's heat, which comes with
    # its detection or later.
    calls: int | None = None

    def __post_init__(self) -> None:
        for name in ("nodes", "calls"):
            value = getattr(self, name)
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            if value is not None and not (whole and value >= 1):
                raise ValueError(
                    f"budget.{name}={value!r} is no whole number of at least 1; leave it out for "
                    "no limit"
                )
        seconds = self.seconds
        if seconds is not None and not (isinstance(seconds, Real) and 0 < seconds < math.inf):
            raise ValueError(
                f"budget.seconds={seconds!r} is no time above 0; leave it out for no limit"
            )

    @property
    def limits(self) -> dict[str, float]:
        """What is limited, and to how much."""
        named = {"nodes": self.nodes, "seconds": self.seconds, "calls": self.calls}
        return {name: value for name, value in named.items() if value is not None}


def tighter(one: BudgetConfig, other: BudgetConfig) -> BudgetConfig:
    """Of each limit the lower."""
    limits = {
        name: min(value, one.limits.get(name, math.inf)) for name, value in other.limits.items()
    }
    return BudgetConfig(**(one.limits | limits))  # type: ignore[arg-type]  # nodes stay whole


class Spending:
    """What one search has had of its budget."""

    def __init__(self, budget: BudgetConfig) -> None:
        self.budget = budget
        self.calls = 0
        self.spent: str | None = None  # what ended the search
        self._until: float | None = None

    def require_node(self, visited: int) -> None:
        """Refuse one more visit after `visited` of them.

        Raises:
            BudgetSpentError: there were as many as there may be.
        """
        if self.budget.nodes is not None and visited >= self.budget.nodes:
            self._stop(self.budget.nodes, "node")

    def room(self, visited: int, wanted: int) -> int:
        """How many of `wanted` visits of one question each may follow `visited` of them.

        Raises:
            BudgetSpentError: none.
        """
        self.require_node(visited)
        self._require_calls(1)
        if self.budget.nodes is not None:
            wanted = min(wanted, self.budget.nodes - visited)
        if self.budget.calls is not None:
            wanted = min(wanted, self.budget.calls - self.calls)
        return wanted

    def run(
        self, steps: Generator[Ask | AskAll, Any, Found]
    ) -> Generator[Ask | AskAll, Any, Found]:
        """`steps`, and what they return; `BudgetSpentError` is thrown at a question too many."""
        if self.budget.seconds is not None:
            self._until = time.monotonic() + self.budget.seconds
        try:
            ask = next(steps)
            while True:
                try:
                    self._charge(sum(query.kind != "target_heat" for query in ask.queries))
                    answer = yield ask
                except Exception as fault:  # a spent budget, or what whoever answers throws
                    ask = steps.throw(fault)
                else:
                    ask = steps.send(answer)
        except StopIteration as stop:
            found: Found = stop.value
            return found
        finally:
            steps.close()

    def _charge(self, calls: int) -> None:
        if self._until is not None and time.monotonic() >= self._until:
            assert self.budget.seconds is not None
            self._stop(self.budget.seconds, "s")
        self._require_calls(calls)
        self.calls += calls

    def _require_calls(self, calls: int) -> None:
        if self.budget.calls is not None and self.calls + calls > self.budget.calls:
            self._stop(self.budget.calls, "call")

    def _stop(self, limit: float, unit: str) -> None:
        plural = "" if limit == 1 or unit == "s" else "s"
        self.spent = f"{limit:g} {unit}{plural}"
        raise BudgetSpentError(self.spent)
