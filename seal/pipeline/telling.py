"""Tells each of several questions what happens to it while they are answered together."""

from __future__ import annotations

from collections.abc import Sequence

from seal.pipeline.events import OnEvent, Planned, Searched, Visited
from seal.pipeline.planner.plan import Plan
from seal.search.locator import LocateRequest, Locator
from seal.search.result import SearchResult
from seal.search.told import locate_told
from seal.search.tree import SearchNode


class Telling:
    """Of each question, by its place, what wants to be told; one beyond them wants nothing."""

    def __init__(self, on_events: Sequence[OnEvent | None] = ()) -> None:
        self._on_events = dict(enumerate(on_events))
        self._numbers: dict[tuple[int, int], int] = {}  # visits so far, by question and target

    def planned(self, question: int, plan: Plan | None) -> None:
        """Where nothing was to be planned, nothing is told."""
        tell = self._on_events.get(question)
        if tell is not None and plan is not None:
            tell(Planned(plan))

    def visited(self, question: int, place: int, target: str, node: SearchNode) -> None:
        """`place`: of the target among those of the question."""
        tell = self._on_events.get(question)
        if tell is not None:
            number = self._numbers[question, place] = self._numbers.get((question, place), 0) + 1
            tell(Visited(target, place, number, node))

    def searched(self, question: int, place: int, result: SearchResult) -> None:
        tell = self._on_events.get(question)
        if tell is not None:
            tell(Searched(place, result))

    def locate(
        self,
        locator: Locator,
        requests: Sequence[LocateRequest],
        owners: Sequence[tuple[int, int]],
    ) -> list[SearchResult]:
        """Search, telling each request's question; `owners`: question and place of its target."""
        if not any(tell is not None for tell in self._on_events.values()):
            return locator.locate(requests)
        return locate_told(
            locator,
            requests,
            lambda i, node: self.visited(*owners[i], requests[i].target, node),
            lambda i, result: self.searched(*owners[i], result),
        )
