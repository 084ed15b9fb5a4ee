"""Where all visitors' questions go: a queue for each way to search, over the same networks."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any, Protocol

from seal.app.form import Wanted
from seal.app.models import Models
from seal.app.ways import Way
from seal.pipeline.ask_queue import AskQueue
from seal.pipeline.ask_ticket import AskTicket
from seal.pipeline.events import Event, OnEvent, Planned
from seal.pipeline.fair_turn import FairTurn
from seal.pipeline.seal import Seal
from seal.pipeline.telling import Telling
from seal.search.locator import LocateRequest
from seal.search.result import SearchResult

MOST_WAITING = 256  # questions; more are refused
_MOST_QUEUES = 12  # that stay open, beside those at work


class Under(Protocol):
    """What is under way for one visitor."""

    @property
    def done(self) -> bool: ...

    def cancel(self) -> object: ...

    def result(self, timeout: float | None = None) -> Any:
        """The `Answer`, or the results of the searches in the order of their targets."""
        ...


class Desk:
    """Takes questions from any thread. Those of one way to search share batches; the ways take
    turns at the networks.
    """

    def __init__(self, models: Models) -> None:
        self.models = models
        self._turn = FairTurn()
        self._queues: dict[tuple[Any, ...], AskQueue] = {}
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, wanted: Wanted, on_event: OnEvent) -> Under:
        """Begin; `on_event` is told as of `Seal.ask`, on another thread.

        Raises:
            ValueError: it cannot be searched for or answered in this way.
            QueueFullError: too many wait already.
        """
        seal = self.models.seal(wanted.way)
        if not wanted.question:
            _require_finding(seal, wanted.way)
        if wanted.way.one_walk and not wanted.question:
            return _Walk(seal, wanted, on_event, self._turn)
        queue = self._queue(wanted.way, seal)
        if wanted.question:
            return queue.submit(wanted.as_question(), on_event=on_event)
        return _Several(
            [
                queue.locate(wanted.image, target, on_event=_at(place, on_event))
                for place, target in enumerate(wanted.targets)
            ]
        )

    def close(self) -> None:
        """Take no more, and give up what is under way."""
        with self._lock:
            self._closed = True
            queues = list(self._queues.values())
        for queue in queues:
            queue.close(drain=False)

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _queue(self, way: Way, seal: Seal) -> AskQueue:
        with self._lock:
            if self._closed:
                raise ValueError("the page is ending")
            queue = self._queues.get(way.key)
            if queue is None or queue.broken or queue.seal is not seal:
                self._close_idle()
                queue = AskQueue(seal, max_waiting=MOST_WAITING, turn=self._turn)
                self._queues[way.key] = queue
            return queue

    def _close_idle(self) -> None:
        idle = [
            key
            for key, queue in self._queues.items()
            if not queue.num_waiting and not queue.num_running
        ]
        for key in idle[: max(0, len(self._queues) - _MOST_QUEUES + 1)]:
            self._queues.pop(key).close()


def _require_finding(seal: Seal, way: Way) -> None:
    if seal.locator is None or getattr(seal.locator, "by_question", False):
        raise ValueError(
            f"the search “{way.search}” finds nothing by its name: ask a question, or choose "
            "another search under “How to search”"
        )


def _at(place: int, on_event: OnEvent) -> OnEvent:
    """Tells of a search for one of several targets as of the one at `place`."""

    def tell(event: Event) -> None:
        on_event(event if isinstance(event, Planned) else replace(event, place=place))

    return tell


class _Several:
    """Searches side by side, held as one."""

    def __init__(self, tickets: Sequence[AskTicket[SearchResult]]) -> None:
        self._tickets = tickets

    @property
    def done(self) -> bool:
        return all(ticket.done for ticket in self._tickets)

    def cancel(self) -> None:
        for ticket in self._tickets:
            ticket.cancel()

    def result(self, timeout: float | None = None) -> list[SearchResult]:
        return [ticket.result(timeout) for ticket in self._tickets]


class _Walk:
    """Several targets on one walk, which has the networks to itself until it ends."""

    def __init__(self, seal: Seal, wanted: Wanted, on_event: OnEvent, turn: FairTurn) -> None:
        self._seal, self._wanted, self._on_event, self._turn = seal, wanted, on_event, turn
        self._cancelled = False
        self._results: list[SearchResult] = []
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="one-walk", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def cancel(self) -> None:
        """It ends before its next region."""
        self._cancelled = True

    def result(self, timeout: float | None = None) -> list[SearchResult]:
        self._thread.join(timeout)
        if not self.done:
            raise TimeoutError("the walk goes on")
        if self._failure is not None:
            raise self._failure
        return self._results

    def _run(self) -> None:
        image, targets = self._wanted.image, self._wanted.targets
        locator = self._seal.locator
        assert locator is not None
        requests = [LocateRequest(image, target) for target in targets]
        owners = [(0, place) for place in range(len(targets))]
        try:
            with self._turn:
                self._tell(None)
                self._results = Telling([self._tell]).locate(locator, requests, owners)
                self._seal.forget(image)
            self._failure = next((r.failure for r in self._results if r.failure is not None), None)
        except BaseException as failure:
            self._failure = failure
        if self._cancelled:
            self._failure = CancelledError("the walk was cancelled")

    def _tell(self, event: Event | None) -> None:
        if self._cancelled:
            raise CancelledError("the walk was cancelled")
        if event is not None:
            self._on_event(event)
