"""`planner=noun_phrases`: the things that the question itself names; no model is asked."""

from __future__ import annotations

from collections.abc import Sequence

from seal.pipeline.planner.plan import Plan, searchable
from seal.text.question_things import question_things
from seal.working_memory import VisualWorkingMemory


class NounPhrasePlanner:
    """Searches for every thing in the question, needed or not; English questions only."""

    name = "noun_phrases"
    answers_first = False

    def __init__(self, max_targets: int) -> None:
        self.max_targets = max_targets

    def plan(self, memories: Sequence[VisualWorkingMemory]) -> list[Plan]:
        return [self._plan(memory.question) for memory in memories]

    def _plan(self, question: str) -> Plan:
        things, extractor = question_things(question)
        targets, unsearchable = searchable(things)
        return Plan(
            by="noun_phrases",
            targets=targets[: self.max_targets],
            unsearchable=unsearchable,
            extractor=extractor,
            fallback="" if targets else "the question names no thing that its parser knows",
        )
