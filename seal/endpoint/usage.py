"""What an endpoint was sent and what that cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Usage:
    """Counts of one run; what came out of the cache was paid for before."""

    requests: int = 0  # sent, repeated ones included
    repeated: int = 0  # sent again after a fault or an answer of no use
    from_cache: int = 0  # answers
    no_answer: int = 0  # prompts given up
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def report(self, price_in: float | None = None, price_out: float | None = None) -> dict:
        """Prices are per million tokens; None: the cost is not known."""
        report: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        if price_in is not None and price_out is not None:
            cost = self.prompt_tokens * price_in + self.completion_tokens * price_out
            report["cost"] = round(cost / 1e6, 6)
        return report
