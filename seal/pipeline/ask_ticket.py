"""What one holds who waits for a question or a search that was given to an `AskQueue`."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any, Generic, Literal, TypeVar

State = Literal["waiting", "running", "ended", "failed", "cancelled"]
Outcome = TypeVar("Outcome")  # an Answer, or a SearchResult


class AskTicket(Generic[Outcome]):
    """Of a question, or of a search; made by `AskQueue`."""

    def __init__(
        self, what: str, priority: float, number: int, cancel: Callable[[AskTicket[Any]], bool]
    ) -> None:
        """`what`: was asked, for messages."""
        self.what, self.priority, self.number = what, priority, number
        self.state: State = "waiting"
        self._cancel = cancel
        self._outcome: Outcome | None = None
        self._failure: BaseException | None = None
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[AskTicket[Outcome]], None]] = []

    def __lt__(self, other: AskTicket[Any]) -> bool:
        """Whose turn comes first."""
        return (-self.priority, self.number) < (-other.priority, other.number)

    @property
    def done(self) -> bool:
        """There is a result, it failed, or it was cancelled."""
        return self._over.is_set()

    def result(self, timeout: float | None = None) -> Outcome:
        """Wait for it.

        Raises:
            TimeoutError: not done after `timeout` seconds; it goes on.
            CancelledError: it was cancelled.
            Exception: what it failed with, as of `Seal.ask` or `Seal.locate`.
        """
        if not self._over.wait(timeout):
            raise TimeoutError(
                f"{self.what} is not done after {timeout} s; wait longer, or cancel it"
            )
        if self._failure is not None:
            raise self._failure
        if self.state == "cancelled":
            raise CancelledError(f"{self.what} was cancelled")
        assert self._outcome is not None
        return self._outcome

    def cancel(self) -> bool:
        """Give it up; its place is free before the next batch. False: it is done already."""
        return self._cancel(self)

    def when_done(self, call: Callable[[AskTicket[Outcome]], None]) -> None:
        """Call once it is done, on the thread that ends it; at once if it is done already.

        What a call raises is told on stderr: it is no failure of the question, nor of the queue.
        """
        with self._lock:
            if not self.done:
                self._callbacks.append(call)
                return
        self._told(call)

    def end(
        self,
        state: State,
        outcome: Outcome | None = None,
        failure: BaseException | None = None,
    ) -> bool:
        """For the queue: what became of it; whoever waits goes on. False: it was done already."""
        with self._lock:
            if self.done:
                return False
            self.state, self._outcome, self._failure = state, outcome, failure
            self._over.set()
            calls, self._callbacks = self._callbacks, []
        for call in calls:
            self._told(call)
        return True

    def _told(self, call: Callable[[AskTicket[Outcome]], None]) -> None:
        try:
            call(self)
        except Exception:
            traceback.print_exc(file=sys.stderr)
