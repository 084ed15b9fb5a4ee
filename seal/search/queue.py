"""Continuous batching: searches are submitted at any time and share the model's batches."""

from __future__ import annotations

import atexit
import heapq
import threading
from collections.abc import Callable
from functools import partial
from numbers import Real
from types import TracebackType
from typing import TypeAlias

from PIL.Image import Image

from seal.geometry import Box
from seal.images import upright_rgb
from seal.search.held_images import HeldImages
from seal.search.locator import LocateRequest, Strategy
from seal.search.lockstep import Lockstep
from seal.search.protocol import Patch, SearchModel
from seal.search.run import Run, begin
from seal.search.speed import SpeedConfig
from seal.search.ticket import Ticket
from seal.search.tree import SearchNode
from seal.text.quote import quoted
from seal.text.targets import check_target

OnVisit: TypeAlias = Callable[[Ticket, SearchNode], None]


class QueueFullError(RuntimeError):
    """As many searches wait as may; whoever asks is to come again."""


class SearchQueue:
    """Runs what is submitted, the highest priority first, of one priority the oldest first.

    Each search visits what it would visit alone. A thread drives the model and calls back; without
    it (`start=False`), `step` does one step at a time. What is open when Python ends is cancelled.
    """

    def __init__(
        self,
        strategy: Strategy,
        model: SearchModel,
        *,
        speed: SpeedConfig | None = None,
        max_waiting: int = 1024,
        on_visit: OnVisit | None = None,
        on_batch: Callable[[str, int], None] | None = None,
        start: bool = True,
    ) -> None:
        """`max_waiting`: submissions that may wait for a place; more are refused.

        `on_visit`: is told each visit of a search when it is over, in order, on the thread that
        drives; what it raises fails that search. `on_batch`: is told how many queries of which
        kind are answered together.
        """
        if max_waiting < 1:
            raise ValueError(f"max_waiting={max_waiting} must be at least 1")
        self.strategy, self.model = strategy, model
        self.max_waiting, self.on_visit = max_waiting, on_visit
        self._lock = threading.Condition()
        self._waiting: list[Ticket] = []  # a heap; those cancelled are taken out at once
        self._searching: dict[int, tuple[Ticket, Run]] = {}  # by the ticket's number
        self._given_up: list[Ticket] = []  # cancelled while searching, still in their place
        self._images = HeldImages()
        self._unneeded: list[Image] = []  # the model still knows them
        self._submitted = 0
        self._closed = False
        self._fault: BaseException | None = None
        self._lockstep = Lockstep(model, self._next_run, speed, soon=self._soon, on_batch=on_batch)
        self._thread: threading.Thread | None = None
        if start:
            self._thread = threading.Thread(target=self._work, name="search-queue", daemon=True)
            # A network that computes while Python comes down takes the process with it.
            self._at_exit = partial(self.close, drain=False)
            atexit.register(self._at_exit)
            self._thread.start()

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    @property
    def num_searching(self) -> int:
        return len(self._searching)

    def submit(self, request: LocateRequest, priority: float = 0) -> Ticket:
        """Ask for a search, from any thread; more is sooner for `priority`.

        Raises:
            ValueError: it is no request for a target in an upright RGB image (which is decoded now
                if it was not yet), or `priority` is no number.
            QueueFullError: `max_waiting` wait already.
            RuntimeError: the queue is closed, or its model is broken beyond repair.
        """
        _check(request, priority)
        with self._lock:
            if self._closed:
                raise RuntimeError("the search queue is closed") from self._fault
            if len(self._waiting) >= self.max_waiting:
                raise QueueFullError(
                    f"{len(self._waiting)} searches wait already (max_waiting={self.max_waiting}): "
                    "come again when some are done"
                )
            ticket = Ticket(request, priority, self._submitted, self._cancel)
            self._submitted += 1
            self._images.hold(request.image)
            heapq.heappush(self._waiting, ticket)
            self._lock.notify_all()
            return ticket

    def step(self) -> bool:
        """Free the places of cancelled searches, fill them, answer one kind of query; whether
        anything is left to do. Of one thread at a time.
        """
        self._clean()
        for run in self._lockstep.step():
            assert isinstance(run.key, Ticket) and run.result is not None
            with self._lock:
                del self._searching[run.key.number]
                if run.key in self._given_up:
                    self._given_up.remove(run.key)
                else:
                    run.key.end("ended", run.result)
                self._release(run.key)
        self._clean()
        with self._lock:
            return bool(self._waiting or self._searching)

    def close(self, *, drain: bool = True) -> None:
        """Take no more; with `drain` finish what was submitted, else cancel it. Returns when that
        is done.
        """
        with self._lock:
            self._closed = True
            open_ = [*self._waiting, *(ticket for ticket, _ in self._searching.values())]
            self._lock.notify_all()
        if not drain:
            for ticket in open_:
                ticket.cancel()
        if self._thread is None:
            while self.step():
                pass
        elif self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> SearchQueue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(drain=kind is None)

    def _work(self) -> None:
        try:
            while True:
                with self._lock:
                    while not (self._waiting or self._searching or self._unneeded or self._closed):
                        self._lock.wait()
                if not self.step():
                    with self._lock:
                        if self._closed and not self._waiting:
                            return
        except BaseException as fault:
            # Nobody waits forever for what cannot come any more.
            self._break(fault)
            raise
        finally:
            atexit.unregister(self._at_exit)

    def _next_run(self) -> Run | None:
        """The ticket whose turn it is takes a place."""
        with self._lock:
            if not self._waiting:
                return None
            ticket = heapq.heappop(self._waiting)
            ticket.state = "searching"
            run = begin(self.strategy, ticket.request, ticket)
            run.on_visit = partial(self._tell_visit, ticket)
            self._searching[ticket.number] = ticket, run
            return run

    def _tell_visit(self, ticket: Ticket, node: SearchNode) -> None:
        if self.on_visit is not None and not ticket.done:
            self.on_visit(ticket, node)

    def _soon(self) -> list[Patch]:
        """What the next ticket begins with."""
        with self._lock:
            if not self._waiting:
                return []
            image = self._waiting[0].request.image
        return [Patch(image, Box(0, 0, *image.size))]

    def _cancel(self, ticket: Ticket) -> bool:
        with self._lock:
            if ticket.done:
                return False
            if ticket.state == "searching":
                self._given_up.append(ticket)
            else:
                self._waiting.remove(ticket)
                heapq.heapify(self._waiting)
                self._release(ticket)
            ticket.end("cancelled")
            self._lock.notify_all()
            return True

    def _clean(self) -> None:
        """Between two steps: places of cancelled searches, and images that nobody needs."""
        with self._lock:
            for ticket in self._given_up:
                _, run = self._searching.pop(ticket.number)
                self._lockstep.drop(run)
                self._release(ticket)
            self._given_up.clear()
            # Somebody may have come with one of them in the meantime.
            unneeded = [image for image in self._unneeded if image not in self._images]
            self._unneeded.clear()
        forget = getattr(self.model, "forget", None)  # only what keeps something has it
        if forget is not None:
            for image in unneeded:
                forget(image)

    def _release(self, ticket: Ticket) -> None:
        if self._images.release(ticket.request.image):
            self._unneeded.append(ticket.request.image)

    def _break(self, fault: BaseException) -> None:
        with self._lock:
            self._closed, self._fault = True, fault
            for ticket in [*self._waiting, *(ticket for ticket, _ in self._searching.values())]:
                if not ticket.done:
                    ticket.end("broken", fault=fault)
            self._waiting.clear()
            self._searching.clear()


_decoding = threading.Lock()  # Pillow spoils a picture that two threads begin to read


def _check(request: object, priority: object) -> None:
    """Refuse what would only fail on the thread of the queue, or where tickets are compared."""
    if not isinstance(request, LocateRequest) or not isinstance(request.image, Image):
        raise ValueError(
            "a search queue takes LocateRequest(image, target) with an open image, not "
            f"{quoted(request)}; seal.pipeline.pictures.picture(path) opens one"
        )
    check_target(request.target)
    if not isinstance(priority, Real) or priority != priority:
        raise ValueError(f"priority={priority!r} is no number; more is sooner, and 0 is usual")
    with _decoding:  # its pixels are cut in several threads
        upright = upright_rgb(request.image)
    if upright is not request.image:
        raise ValueError(
            f"the image of a request is upright RGB, and this one ({request.image.mode}) is not: "
            "seal.pipeline.pictures.picture(image) makes it so, once for all that is asked about it"
        )
