"""One queue for many askers: questions and searches from any thread share the models' batches."""

from __future__ import annotations

import atexit
import heapq
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from numbers import Real
from types import TracebackType
from typing import Any

from seal.pipeline.answer import Answer
from seal.pipeline.ask_job import AskJob
from seal.pipeline.ask_rounds import BATCH, Asked, AskRounds, OnBatch
from seal.pipeline.ask_ticket import AskTicket
from seal.pipeline.events import OnEvent
from seal.pipeline.fair_turn import FairTurn
from seal.pipeline.pictures import Picture, check_picture
from seal.pipeline.question import Question
from seal.pipeline.shared_pictures import SharedPictures
from seal.search.driver import MOST_OPEN_PIXELS, SearchLocator
from seal.search.held_images import HeldImages
from seal.search.queue import QueueFullError
from seal.search.result import SearchResult
from seal.search.speed import CONCURRENCY
from seal.text.quote import quoted
from seal.text.targets import check_target

__all__ = ["AskQueue", "QueueFullError"]

_OPENERS = 2  # threads that open pictures


class AskQueue:
    """Answers what is submitted, the highest priority first, of one priority the oldest first.

    Each question gets the answer that `Seal.ask` would give, and each search visits what it would
    visit alone; they share batches of both models. A thread drives the models and calls back.
    While a queue is open, ask through it alone: the networks are used by one thread at a time.
    What is open when Python ends is cancelled.
    """

    def __init__(
        self,
        seal: Asked,
        *,
        max_waiting: int = 1024,
        concurrency: int | None = None,
        on_batch: OnBatch | None = None,
        turn: FairTurn | None = None,
    ) -> None:
        """
        Args:
            max_waiting: submissions that may wait for a place; more are refused.
            concurrency: questions and searches under way at a time; None: as many as searches, and
                two batches of answers.
            on_batch: is told the kind ("show", "tell", or a query's) and the size of each batch.
            turn: is held while the networks are used; given to all queues that share some.
        """
        for name, value in (("max_waiting", max_waiting), ("concurrency", concurrency)):
            if value is not None and value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        self.seal, self.max_waiting = seal, max_waiting
        self.concurrency = concurrency or _places(seal)
        self._lock = threading.Condition()
        self._waiting: list[AskJob] = []  # a heap; those cancelled are taken out at once
        self._opened: list[AskJob] = []  # with their pictures, for the thread that drives
        self._running: dict[int, AskJob] = {}  # by the ticket's number; their pictures are opened
        self._images = HeldImages()
        self._pictures = SharedPictures()
        self._submitted = 0
        self._closed = False
        self._fault: BaseException | None = None
        self._networks = turn or FairTurn()
        self._rounds = AskRounds(seal, on_batch=on_batch)
        self._openers = ThreadPoolExecutor(_OPENERS, thread_name_prefix="ask-queue-open")
        self._thread = threading.Thread(target=self._work, name="ask-queue", daemon=True)
        # A network that computes while Python comes down takes the process with it.
        self._at_exit = partial(self.close, drain=False)
        atexit.register(self._at_exit)
        self._thread.start()

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    @property
    def num_running(self) -> int:
        return len(self._running)

    @property
    def broken(self) -> bool:
        """What drives it broke down: nothing more is answered."""
        return self._fault is not None

    def submit(
        self, question: Question, priority: float = 0, on_event: OnEvent | None = None
    ) -> AskTicket[Answer]:
        """Ask, from any thread; more is sooner for `priority`.

        `on_event`: see `Seal.ask`; called on the thread that drives, which waits for it.

        Raises:
            ValueError: it is no question, or its picture none, as far as that is told before
                anything is decoded.
            QueueFullError: `max_waiting` wait already.
            RuntimeError: the queue is closed, or broken beyond repair.
        """
        self.seal.check_questions([question])
        pixels = 0 if question.image is None else check_picture(question.image)
        what = f"the question {quoted(question.text)}"
        return self._submit(what, priority, question.image, pixels, question, "", on_event)

    def locate(
        self, image: Picture, target: str, priority: float = 0, on_event: OnEvent | None = None
    ) -> AskTicket[SearchResult]:
        """Search an image for a target; see `submit`.

        Raises:
            ValueError: as `submit`, or this `Seal` does not search.
        """
        check_target(target)
        if self.seal.locator is None:
            raise ValueError("this Seal does not search: load it with vsm=FOLDER and a search")
        what = f"the search for {quoted(target)}"
        return self._submit(what, priority, image, check_picture(image), None, target, on_event)

    def close(self, *, drain: bool = True) -> None:
        """Take no more; with `drain` finish what was submitted, else cancel it. Returns when that
        is done.
        """
        with self._lock:
            self._closed = True
            open_ = [*self._waiting, *self._running.values()]
            self._lock.notify_all()
        if not drain:
            for job in open_:
                job.ticket.cancel()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> AskQueue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(drain=kind is None)

    def _submit(
        self,
        what: str,
        priority: float,
        image: Picture | None,
        pixels: int,
        question: Question | None,
        target: str,
        on_event: OnEvent | None,
    ) -> AskTicket[Any]:
        if not isinstance(priority, Real) or priority != priority:
            raise ValueError(f"priority={priority!r} is no number; more is sooner, and 0 is usual")
        with self._lock:
            if self._closed:
                raise RuntimeError("the ask queue is closed") from self._fault
            if len(self._waiting) >= self.max_waiting:
                raise QueueFullError(
                    f"{len(self._waiting)} wait already (max_waiting={self.max_waiting}): come "
                    "again when some are done"
                )
            ticket: AskTicket[Any] = AskTicket(what, priority, self._submitted, self._cancel)
            self._submitted += 1
            job = AskJob(ticket, image, pixels, question, target, on_event)
            heapq.heappush(self._waiting, job)
            self._admit()  # its picture is opened while the models are busy, if there is a place
            self._lock.notify_all()
            return ticket

    def _cancel(self, ticket: AskTicket[Any]) -> bool:
        if not ticket.end("cancelled"):
            return False
        with self._lock:
            self._waiting = [job for job in self._waiting if job.ticket is not ticket]
            heapq.heapify(self._waiting)
            self._lock.notify_all()  # the thread puts away what runs
        return True

    def _work(self) -> None:
        try:
            while self._turn():
                pass
        except BaseException as fault:
            # Nobody waits forever for what cannot come any more.
            self._break(fault)
            raise
        finally:
            self._openers.shutdown(wait=False, cancel_futures=True)
            atexit.unregister(self._at_exit)

    def _turn(self) -> bool:
        """One round; False: closed, and nothing is left."""
        with self._lock:
            while not self._something_to_do():
                if self._closed and not (self._waiting or self._running):
                    return False
                self._lock.wait()
            cancelled = [job for job in self._running.values() if job.ticket.done]
            opened, self._opened = self._opened, []
        with self._networks:
            for job in cancelled:
                self._rounds.drop(job)
                self._put_away(job)
            for job in opened:
                if job.ticket.done:
                    continue
                if job.failure is None:
                    self._rounds.add(job)
                else:
                    self._end(job)
            self._admit()
            for job in self._rounds.step():
                self._end(job)
        return True

    def _something_to_do(self) -> bool:
        return bool(
            self._rounds.jobs
            or self._opened
            or any(job.ticket.done for job in self._running.values())
            or (self._waiting and self._room())
        )

    def _room(self) -> bool:
        """Whether the next may begin beside those that are under way."""
        pixels = self._waiting[0].pixels + sum(job.pixels for job in self._running.values())
        few = len(self._running) < self.concurrency and pixels <= MOST_OPEN_PIXELS
        return few or not self._running

    def _admit(self) -> None:
        """Whose turn it is take places, and their pictures are opened."""
        with self._lock:
            while self._waiting and self._room():
                job = heapq.heappop(self._waiting)
                job.ticket.state = "running"
                self._running[job.ticket.number] = job
                if job.picture is None:
                    self._opened.append(job)
                else:
                    self._openers.submit(self._open, job)

    def _open(self, job: AskJob) -> None:
        try:
            if job.ticket.done:
                return
            image = self._pictures.open(job.picture)
            if job.question is not None:
                job.question = replace(job.question, image=image)
        except Exception as error:
            image, job.failure = None, error
        with self._lock:
            # Who was cancelled meanwhile holds none: it is put away already.
            if image is not None and job.ticket.number in self._running:
                self._images.hold(image)
                job.image = image
            self._opened.append(job)
            self._lock.notify_all()

    def _end(self, job: AskJob) -> None:
        self._put_away(job)
        if job.failure is not None:
            job.ticket.end("failed", failure=job.failure)
        else:
            job.ticket.end("ended", job.outcome)

    def _put_away(self, job: AskJob) -> None:
        """Its place is free; what is known about its picture is forgotten."""
        with self._lock:
            self._running.pop(job.ticket.number, None)
            image, job.image = job.image, None
            if image is None or not self._images.release(image):
                return
        self.seal.forget(image)

    def _break(self, fault: BaseException) -> None:
        with self._lock:
            self._closed, self._fault = True, fault
            left = [*self._waiting, *self._running.values()]
            self._waiting.clear()
            self._running.clear()
        for job in left:
            broken = RuntimeError("the ask queue broke down")
            broken.__cause__ = fault
            job.ticket.end("failed", failure=broken)


def _places(seal: Asked) -> int:
    locator = seal.locator
    if isinstance(locator, SearchLocator):
        # Those that wait for a batch of answers take no place of a search.
        return locator.speed.of(locator.model).concurrency + 2 * BATCH
    return CONCURRENCY
