"""One search under way: what it waits for, what it has cost, and how it ends."""

from __future__ import annotations

import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from seal.geometry import Box
from seal.search.budget import BudgetConfig, tighter
from seal.search.locator import LocateRequest, Search, Strategy
from seal.search.protocol import Ask, AskAll, Detections, Patch, Query
from seal.search.result import SearchResult


@dataclass(slots=True, eq=False)
class Run:
    """A search under way: what it waits for, and what it has cost."""

    search: Search
    key: Hashable = None  # whose it is
    target: str = ""  # this and the next two: for the result of a search that fails
    strategy: str = ""
    image_size: tuple[int, int] = (0, 0)
    on_visit: Callable[[Any], None] | None = None  # is told each `SearchNode` once it is done with
    ask: Ask | AskAll | None = None
    given: list[Any] = field(default_factory=list)  # answers to what it asks that are there already
    result: SearchResult | None = None
    waited: int = 0  # steps since it asked
    calls: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    # Detections evaluated before their turn, by region and target.
    ahead: dict[tuple[Box, str], Detections] = field(default_factory=dict)
    num_ahead: int = 0
    upcoming: tuple[Patch, ...] = ()  # what it named last as likely next
    _visited: list[Any] = field(default_factory=list)  # `SearchNode`s, the last not told of yet

    def due(self, most: int | None) -> Sequence[Query]:
        """The next queries of what it asks, `most` at the most; None: all."""
        assert self.ask is not None
        end = None if most is None else len(self.given) + most
        return self.ask.queries[len(self.given) : end]

    def give(self, answers: Sequence[Any]) -> None:
        """Answers to what was due; with the last of them the search goes on."""
        assert self.ask is not None
        self.given += answers
        if len(self.given) == len(self.ask.queries):
            self.advance(self.given[0] if isinstance(self.ask, Ask) else self.given)

    def advance(self, answer: Any) -> None:
        """Send an answer, then every answer that is already there, until a new one is needed."""
        started = time.perf_counter()
        try:
            self._take(self.search.send(answer))
            while (known := self._known()) is not None:
                self.calls["detect"] += 1
                self._take(self.search.send(known))
        except StopIteration as stop:
            self._finish(stop.value)
        except Exception as error:
            self.fail(error)
        self.seconds["search"] += time.perf_counter() - started
        if self.result is not None:
            self.result.seconds = dict(self.seconds)

    def fail(self, error: Exception) -> None:
        """End with what went wrong: no search beside this one has to do with it."""
        told = traceback.format_exception(error)
        traceback.clear_frames(error.__traceback__)  # they hold pictures and whole batches
        self.search.close()
        self._end(
            SearchResult(
                target=self.target,
                strategy=self.strategy,
                found=False,
                boxes=[],
                scores=[],
                num_steps=len(self._visited),
                path=list(self._visited),  # as far as the strategy names its visits
                image_size=self.image_size,
                error=told[-1].strip() + "\n" + "".join(told).rstrip(),
                failure=error,
            )
        )

    def close(self) -> None:
        """Stop without a result."""
        self.ask = None
        self.ahead.clear()
        self.search.close()

    def _take(self, ask: Ask | AskAll) -> None:
        self.ask, self.given, self.waited = ask, [], 0
        first = ask.queries[0]
        if not self.target and first.kind == "detect":
            self.target, self.image_size = first.text, first.patch.image.size
        if isinstance(ask, Ask):
            if ask.upcoming:
                self.upcoming = ask.upcoming
            if ask.visit is not None:
                self._tell_visit(ask.visit)

    def _tell_visit(self, node: Any) -> None:
        """Tell of the visit before that of `node`, which it ends."""
        if self._visited and self._visited[-1] is node:
            return
        if self._visited and self.on_visit is not None:
            self.on_visit(self._visited[-1])
        self._visited.append(node)

    def _tell_rest(self, path: Sequence[Any]) -> None:
        """Tell of what has not been told of: the last visit, or those of a strategy that names none
        while they last.
        """
        told = {id(node) for node in self._visited[:-1]}
        for node in path:
            if self.on_visit is not None and id(node) not in told:
                self.on_visit(node)

    def _known(self) -> Detections | None:
        if not isinstance(self.ask, Ask) or self.ask.query.kind != "detect":
            return None
        return self.ahead.pop((self.ask.query.patch.box, self.ask.query.text), None)

    def _finish(self, result: SearchResult) -> None:
        try:
            self._tell_rest(result.path)
        except Exception as error:
            self.fail(error)
        else:
            self._end(result)

    def _end(self, result: SearchResult) -> None:
        self.ask, self.result, self.upcoming = None, result, ()  # patches hold their image
        result.calls, result.seconds = dict(self.calls), dict(self.seconds)
        result.evaluated_ahead, result.wasted_ahead = self.num_ahead, len(self.ahead)
        self.ahead.clear()


def begin(strategy: Strategy, request: LocateRequest, key: object = None) -> Run:
    """The search for a request, not started yet."""
    return Run(
        _explored(strategy, request),
        key,
        target=request.target,
        strategy=getattr(strategy, "name", type(strategy).__name__),
        image_size=request.image.size,
    )


def _explored(strategy: Strategy, request: LocateRequest) -> Search:
    """The strategy's own, begun with its first step: what it refuses is that search's alone."""
    if request.budget is not None:
        strategy = _limited(strategy, request.budget)
    search = strategy.explore(request.image, request.target, request.question, request.num_targets)
    return (yield from search)


def _limited(strategy: Strategy, budget: BudgetConfig) -> Strategy:
    """The same strategy with less to spend."""
    limited: Any = copy(strategy)
    limited.config = replace(limited.config, budget=tighter(limited.config.budget, budget))
    inner = getattr(strategy, "search", None)  # of one that runs another
    if inner is not None:
        limited.search = _limited(inner, budget)
    same: Strategy = limited
    return same
