"""What the page knows of one search: the visits so far, and in the end the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from seal.app.steps import Step, Steps
from seal.pipeline.events import Event, Searched, Visited
from seal.search.result import SearchResult


@dataclass(slots=True)
class Walk:
    """One search, while it goes on (`result` is None) and when it is over."""

    target: str  # "" of ViCrop, which searches for what the question is about
    visits: Steps = field(default_factory=Steps)
    result: SearchResult | None = None

    @property
    def steps(self) -> list[Step]:
        return self.visits.steps

    @property
    def name(self) -> str:
        """What the page calls the target."""
        return self.target or "what the question is about"

    def end(self, result: SearchResult) -> None:
        """Keep the result, and add what was visited without being told of."""
        for node in result.path:
            self.visits.add(node)
        self.result = result


class Walks:
    """The searches of one question, by their place among its targets."""

    def __init__(self, targets: Sequence[str] = ()) -> None:
        self._walks = {place: Walk(target) for place, target in enumerate(targets)}

    def take(self, event: Event) -> Walk | None:
        """Note what happened; the search that it happened in, if it was one."""
        if isinstance(event, Visited):
            walk = self._walks.setdefault(event.place, Walk(event.target))
            walk.visits.add(event.node)
            return walk
        if isinstance(event, Searched):
            walk = self._walks.setdefault(event.place, Walk(event.result.target))
            walk.end(event.result)
            return walk
        return None

    def end(self, results: Sequence[SearchResult]) -> None:
        """The results of all searches, in the order of the targets."""
        for place, result in enumerate(results):
            self._walks.setdefault(place, Walk(result.target)).end(result)

    @property
    def in_order(self) -> list[Walk]:
        return [self._walks[place] for place in sorted(self._walks)]
