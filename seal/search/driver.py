"""Drive searches: put their queries to a model, many searches at a time."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from PIL.Image import Image

from seal.geometry import Box
from seal.search.locator import LocateRequest, Search, Strategy
from seal.search.protocol import (
    Ask,
    AskAll,
    Detections,
    Query,
    QueryKind,
    SearchModel,
)
from seal.search.result import SearchResult

Progress = Callable[[int, SearchResult], None]  # index of the search, its result


@dataclass(slots=True)
class _Run:
    """A search under way."""

    index: int
    search: Search
    ask: Ask | AskAll | None = None
    result: SearchResult | None = None
    calls: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    ahead: dict[Box, Detections] = field(default_factory=dict)  # evaluated before their turn
    num_ahead: int = 0

    def advance(self, answer: Any) -> None:
        """Send an answer, then every answer that is already there, until a new one is needed."""
        started = time.perf_counter()
        try:
            self.ask = self.search.send(answer)
            while (known := self._known()) is not None:
                self.calls["detect"] += 1
                self.ask = self.search.send(known)
        except StopIteration as stop:
            self.ask, self.result = None, stop.value
        self.seconds["search"] += time.perf_counter() - started
        if self.result is not None:
            self.result.calls, self.result.seconds = dict(self.calls), dict(self.seconds)
            self.result.evaluated_ahead = self.num_ahead

    def _known(self) -> Detections | None:
        if not isinstance(self.ask, Ask) or self.ask.query.kind != "detect":
            return None
        return self.ahead.pop(self.ask.query.patch.box, None)


def run_searches(
    searches: Iterable[Search],
    model: SearchModel,
    *,
    lookahead: int = 0,
    concurrency: int = 64,
    max_batch: int | None = None,
    progress: Progress | None = None,
) -> list[SearchResult]:
    """Advance searches in lockstep. Each visits what it would visit alone.

    Args:
        searches: what `Strategy.explore` returned; started when their turn comes.
        model: answers the queries; equal kinds go to it in one batch.
        lookahead: detections to evaluate ahead, per search and batch. Costs work that may be
            wasted, saves rounds; the visits stay the same.
        concurrency: searches advanced at a time, which bounds memory.
        max_batch: most queries given to the model at once.
        progress: called with the index and result of each search as it ends.
    """
    waiting = enumerate(searches)
    active: list[_Run] = []
    results: dict[int, SearchResult] = {}
    while True:
        for index, search in islice(waiting, concurrency - len(active)):
            active.append(_Run(index, search))
            active[-1].advance(None)
        if not active:
            return [results[index] for index in sorted(results)]
        _step([run for run in active if run.result is None], model, lookahead, max_batch)
        for run in active:
            if run.result is not None:
                results[run.index] = run.result
                if progress is not None:
                    progress(run.index, run.result)
        active = [run for run in active if run.result is None]


def _step(runs: list[_Run], model: SearchModel, lookahead: int, max_batch: int | None) -> None:
    """Answer the kind of query that most searches wait for."""
    by_kind: dict[QueryKind, list[tuple[_Run, Ask | AskAll]]] = defaultdict(list)
    for run in runs:
        if run.ask is not None:
            by_kind[run.ask.queries[0].kind].append((run, run.ask))
    if not by_kind:
        return
    kind = max(by_kind, key=lambda kind: len(by_kind[kind]))
    due = by_kind[kind]
    early: list[tuple[_Run, Query]] = []
    if kind == "detect":
        for run, ask in due:
            if not isinstance(ask, Ask):
                continue
            for patch in ask.upcoming[:lookahead]:
                if patch.box not in run.ahead:
                    early.append((run, Query("detect", patch, ask.query.text)))
    queries = [query for _, ask in due for query in ask.queries]
    num_due = len(queries)
    queries += [query for _, query in early]
    started = time.perf_counter()
    answers = _answer(model, kind, queries, max_batch)
    each = (time.perf_counter() - started) / len(queries)
    for (run, query), answer in zip(early, answers[num_due:], strict=True):
        run.ahead[query.patch.box] = answer
        run.num_ahead += 1
        run.seconds[kind] += each
    start = 0
    for run, ask in due:
        given = answers[start : start + len(ask.queries)]
        start += len(given)
        run.calls[kind] += len(given)
        run.seconds[kind] += each * len(given)
        run.advance(given[0] if isinstance(ask, Ask) else given)


def _answer(
    model: SearchModel, kind: QueryKind, queries: list[Query], max_batch: int | None
) -> list[Any]:
    size = max_batch or len(queries)
    answers: list[Any] = []
    for start in range(0, len(queries), size):
        batch = queries[start : start + size]
        given = getattr(model, kind)(batch)
        assert len(given) == len(batch), f"{len(given)} answers to {len(batch)} {kind} queries"
        answers += given
    return answers


class SearchLocator:
    """A strategy and a model, together a `Locator`."""

    def __init__(
        self,
        strategy: Strategy,
        model: SearchModel,
        *,
        lookahead: int = 0,
        concurrency: int = 64,
        max_batch: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.strategy, self.model = strategy, model
        self.lookahead, self.concurrency = lookahead, concurrency
        self.max_batch, self.progress = max_batch, progress

    def locate(self, requests: Sequence[LocateRequest]) -> list[SearchResult]:
        """Search each image for its target, all of them side by side."""
        results = run_searches(
            (
                self.strategy.explore(
                    request.image, request.target, request.question, request.num_targets
                )
                for request in requests
            ),
            self.model,
            lookahead=self.lookahead,
            concurrency=self.concurrency,
            max_batch=self.max_batch,
            progress=self.progress,
        )
        settings = getattr(self.model, "settings", None)  # a model of a test or a script has none
        if settings is not None:
            for result in results:
                result.guide = settings()
        return results

    def forget(self, image: Image) -> None:
        """Drop what the model knows about an image, if it keeps anything."""
        forget = getattr(self.model, "forget", None)
        if forget is not None:
            forget(image)
