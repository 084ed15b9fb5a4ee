"""Many searches side by side: each step answers one kind of query, of all that wait for it."""

from __future__ import annotations

import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from seal.search.protocol import Ask, Patch, Query, QueryKind, SearchModel
from seal.search.run import Run
from seal.search.speed import SpeedConfig

MAX_WAIT = 8  # steps a search waits before its kind of query goes before what most wait for
PREPARED = 2  # of the regions each search named as next; the first is right more often than not


class Lockstep:
    """The searches at hand, as many as there are places; each visits what it would visit alone."""

    def __init__(
        self,
        model: SearchModel,
        take: Callable[[], Run | None],
        speed: SpeedConfig | None = None,
        *,
        soon: Callable[[], Sequence[Patch]] | None = None,
        on_batch: Callable[[str, int], None] | None = None,
    ) -> None:
        """`take`: the next search to begin, asked for when a place is free; None: none waits.

        `soon`: what searches that wait will look at first, so that it can be prepared. `on_batch`:
        is told the kind of query and how many are answered together, each time.
        """
        self.model, self._take_next, self._soon = model, take, soon
        self.pace = (speed or SpeedConfig()).of(model)
        self.active: list[Run] = []
        self._on_batch = on_batch

    def step(self) -> list[Run]:
        """Fill the places, answer one kind of query; the searches that ended, in any way."""
        ended = self._fill()
        runs = [run for run in self.active if run.ask is not None]
        if runs:
            kind = _due_kind(runs)
            self._answer_kind(kind, runs)
            ended += [run for run in self.active if run.result is not None]
            self.active = [run for run in self.active if run.result is None]
        settings = getattr(self.model, "settings", None)  # a model of a test or a script has none
        if settings is not None:
            for run in ended:
                if run.result is not None:
                    run.result.guide = settings()
        return ended

    def drop(self, run: Run) -> None:
        """Take a search out of its place; it has no result."""
        self.active = [other for other in self.active if other is not run]
        run.close()

    def _fill(self) -> list[Run]:
        ended = []
        while len(self.active) < self.pace.concurrency:
            run = self._take_next()
            if run is None:
                break
            run.advance(None)
            if run.result is None:
                self.active.append(run)
            else:
                ended.append(run)
        return ended

    def _answer_kind(self, kind: QueryKind, runs: Sequence[Run]) -> None:
        due: list[tuple[Run, Sequence[Query]]] = []
        others: list[Run] = []
        for run in runs:
            assert run.ask is not None
            if run.ask.queries[0].kind == kind:
                # Of what is asked all at once no more than a batch: it holds up nobody else.
                due.append((run, run.due(self.pace.room)))
            else:
                run.waited += 1
                others.append(run)
        queries = [query for _, part in due for query in part]
        serving = [run for run, _ in due]
        early = self._early(serving, len(queries)) if kind == "detect" else []
        asked = queries + [query for _, query in early]
        self._prepare(asked, serving, others)
        if self._on_batch is not None:
            self._on_batch(kind, len(asked))
        started = time.perf_counter()
        answers = self._answer(kind, asked)
        each = (time.perf_counter() - started) / len(asked)
        for (run, query), answer in zip(early, answers[len(queries) :], strict=True):
            run.seconds[kind] += each
            if not isinstance(answer, _Failed):  # else it fails when its turn comes, if it does
                run.ahead[query.patch.box, query.text] = answer
                run.num_ahead += 1
        start = 0
        for run, part in due:
            given = answers[start : start + len(part)]
            start += len(part)
            if not (kind == "target_heat" and self.pace.late_heat):
                run.calls[kind] += len(given)
            run.seconds[kind] += each * len(given)
            failed = next((one.error for one in given if isinstance(one, _Failed)), None)
            if failed is not None:
                run.fail(failed)
            else:
                run.give(given)

    def _early(self, serving: Sequence[Run], num_due: int) -> list[tuple[Run, Query]]:
        """Detections before their turn, each search's likeliest first. They fill up a batch and
        open no other, which would cost more time than they save.
        """
        each: list[list[tuple[Run, Query]]] = []
        for run in serving:
            ask = run.ask
            if isinstance(ask, Ask) and self.pace.lookahead:
                text = ask.query.text
                named = ask.upcoming[: self.pace.lookahead]
                new = [patch for patch in named if (patch.box, text) not in run.ahead]
                each.append([(run, Query("detect", patch, text)) for patch in new])
        early = [one for rank in zip_longest(*each) for one in rank if one is not None]
        if self.pace.room is not None:
            early = early[: -num_due % self.pace.room]
        if self.pace.fill is not None:
            early = early[: max(0, self.pace.fill - num_due)]
        return early

    def _prepare(
        self,
        asked: Sequence[Query],
        serving: Sequence[Run],
        others: Sequence[Run],
    ) -> None:
        """Name what comes behind the first batch of `asked`, the surest first."""
        if not self.pace.preparing:
            return
        patches = [query.patch for query in asked[self.pace.room or len(asked) :]]
        for run in (*serving, *others):
            patches += [query.patch for query in run.due(None)]
        ahead = [run.upcoming[:PREPARED] for run in (*serving, *others)]
        patches += [patch for rank in zip_longest(*ahead) for patch in rank if patch is not None]
        patches += self._soon() if self._soon is not None else ()
        distinct = {(id(patch.image), patch.box): patch for patch in patches}
        for query in asked[: self.pace.room or len(asked)]:
            distinct.pop((id(query.patch.image), query.patch.box), None)  # at hand now
        for prepare in self.pace.preparing if distinct else ():
            prepare(list(distinct.values()))

    def _answer(self, kind: QueryKind, queries: Sequence[Query]) -> list[Any]:
        """An answer to each query, or what it fails with."""
        size = self.pace.max_batch or len(queries)
        answers: list[Any] = []
        for start in range(0, len(queries), size):
            answers += self._answer_batch(kind, queries[start : start + size])
        return answers

    def _answer_batch(self, kind: QueryKind, batch: Sequence[Query]) -> list[Any]:
        try:
            given: list[Any] = getattr(self.model, kind)(list(batch))
            assert len(given) == len(batch), f"{len(given)} answers to {len(batch)} {kind} queries"
            return given
        except Exception as error:
            if len(batch) == 1:
                return [_Failed(error)]
            # The batch's tensors lie in the frames: without them there is room to try again.
            traceback.clear_frames(error.__traceback__)
        middle = len(batch) // 2
        parts = (batch[:middle], batch[middle:])
        return [answer for part in parts for answer in self._answer_batch(kind, part)]


@dataclass(frozen=True, slots=True)
class _Failed:
    """In place of the answer to a query that the model raises for, whatever is asked beside it."""

    error: Exception


def drive(
    runs: Iterator[Run],
    model: SearchModel,
    speed: SpeedConfig | None = None,
    *,
    soon: Callable[[], Sequence[Patch]] | None = None,
    room: Callable[[], bool] | None = None,
) -> Iterator[Run]:
    """The searches as they end; each is begun when a place is free.

    room: whether one more may begin now; always where none is under way.
    """

    def take() -> Run | None:
        return next(runs, None) if room is None or room() else None

    lockstep = Lockstep(model, take, speed, soon=soon)
    try:
        while True:
            ended = lockstep.step()
            yield from ended
            if not ended and not lockstep.active:
                return
    finally:
        for run in lockstep.active:
            run.close()


def _due_kind(runs: Sequence[Run]) -> QueryKind:
    """What most searches wait for, unless one has waited long: then what it waits for.

    Each step ends the wait for one kind, so a search waits no longer than `MAX_WAIT` steps and one
    for every other kind.
    """
    longest = max(runs, key=lambda run: run.waited)
    if longest.waited >= MAX_WAIT:
        assert longest.ask is not None
        return longest.ask.queries[0].kind
    count: dict[QueryKind, int] = defaultdict(int)
    for run in runs:
        assert run.ask is not None
        count[run.ask.queries[0].kind] += 1
    return max(count, key=lambda kind: count[kind])
