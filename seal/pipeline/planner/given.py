"""`planner=given`: only what the caller names is searched for."""

from __future__ import annotations

from collections.abc import Sequence

from seal.pipeline.planner.plan import Plan, given_plan
from seal.working_memory import VisualWorkingMemory


class GivenPlanner:
    """Names nothing; whoever locates by the question alone needs nothing named."""

    name = "given"
    answers_first = False

    def plan(self, memories: Sequence[VisualWorkingMemory]) -> list[Plan]:
        return [given_plan() for _ in memories]
