"""A way to search, as it is chosen on the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from seal.search.budget import BudgetConfig


@dataclass(frozen=True, slots=True)
class Way:
    """How something is to be searched for, and who answers."""

    model: str  # the answer model, as it was named at the start
    search: str  # a strategy or another way, by its name
    budget: BudgetConfig | None = None  # of each search; None: as at the start
    one_walk: bool = False  # all targets on one walk over the picture

    @property
    def key(self) -> tuple[Any, ...]:
        limits = () if self.budget is None else tuple(sorted(self.budget.limits.items()))
        return self.model, self.search, limits, self.one_walk
