"""What comes out of a question: the answer, what it was given, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from seal.pipeline.planner.plan import Plan
from seal.search.result import SearchResult
from seal.search.trace import to_dict
from seal.working_memory import VisualWorkingMemory


@dataclass(slots=True)
class Answer:
    """What came out, and how."""

    text: str  # the chosen option, or free text
    first_text: str  # what the model said before any search; "" if it was not asked
    texts: list[str] = field(default_factory=list)  # one for each final wording; `text` the first
    option: int | None = None  # index of the chosen option; None: free-form, or a tie
    losses: list[float] = field(default_factory=list)  # of each option, lower is likelier
    chosen_by: str = ""  # likelihood | letters; "" without options
    missing: list[str] = field(default_factory=list)  # what was searched for, or should have been
    unsearchable: list[str] = field(default_factory=list)  # named as missing, but no thing's name
    plan: Plan | None = None  # what to search for, and who said so; None: nothing was to be planned
    memory: VisualWorkingMemory | None = None  # what the final answer was given
    searches: list[SearchResult] = field(default_factory=list)  # one per missing target
    # Of the image and each crop, the level they were read at: for each of `texts`, or for the
    # options. Empty where the answer model has no levels.
    levels_each: list[tuple[int, ...]] = field(default_factory=list)
    left_out: int = 0  # instances that were found but not shown: the VQA LLM's context was full
    answered_by: dict[str, Any] = field(default_factory=dict)  # the answer model's `settings()`
    cost: dict[str, Any] = field(default_factory=dict)  # visits, calls, tokens, pixels, seconds

    @property
    def levels(self) -> tuple[int, ...]:
        """Of the image and each crop, the level they were read at for `text`; () without levels."""
        return self.levels_each[0] if self.levels_each else ()

    @property
    def error(self) -> str | None:
        """Of a search that failed, so that there is no answer: see `SearchResult.error`."""
        return next((result.error for result in self.searches if result.error is not None), None)

    def require(self) -> Answer:
        """The answer itself.

        Raises:
            Exception: what a search of it failed with.
        """
        for result in self.searches:
            if result.failure is not None:
                raise result.failure
        return self

    @property
    def not_found(self) -> list[str]:
        """Targets that were searched for in vain."""
        return [
            result.target
            for result in self.searches
            if result.target and not result.found and not result.settled and result.error is None
        ]

    def to_dict(self, *, heat_cells: int = 0) -> dict[str, Any]:
        """JSON-able, with the trace of every search."""
        targets = self.memory.targets if self.memory is not None else ()
        withheld = [] if self.memory is None else self.memory.withheld
        each = list(map(list, self.levels_each))
        return {
            "text": self.text,
            "texts": self.texts,
            "first_text": self.first_text,
            "option": self.option,
            "losses": [loss if isfinite(loss) else None for loss in self.losses],
            "chosen_by": self.chosen_by,
            "missing": self.missing,
            "unsearchable": self.unsearchable,
            "not_found": self.not_found,
            "plan": None if self.plan is None else self.plan.to_dict(),
            "left_out": self.left_out,
            "memory": [
                {"name": t.name, "boxes": [[b.x0, b.y0, b.x1, b.y1] for b in t.boxes]}
                for t in targets
            ],
            **({"withheld": withheld} if withheld else {}),
            **({"levels": list(self.levels)} if self.levels else {}),
            **({"levels_each": each} if len(each) > 1 else {}),
            **({} if self.error is None else {"error": self.error}),
            "searches": [to_dict(result, heat_cells=heat_cells) for result in self.searches],
            "answered_by": self.answered_by,
            "cost": self.cost,
        }
