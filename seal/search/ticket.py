"""What one holds who waits for a submitted search."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Literal

from seal.search.locator import LocateRequest
from seal.search.result import SearchResult

State = Literal["waiting", "searching", "ended", "cancelled", "broken"]


class Ticket:
    """A search that was submitted; made by `SearchQueue.submit`."""

    def __init__(
        self,
        request: LocateRequest,
        priority: float,
        number: int,
        cancel: Callable[[Ticket], bool],
    ) -> None:
        self.request, self.priority, self.number = request, priority, number
        self.state: State = "waiting"
        self._cancel = cancel
        self._outcome: SearchResult | None = None
        self._fault: BaseException | None = None
        self._over = threading.Event()

    def __lt__(self, other: Ticket) -> bool:
        """Whose turn comes first."""
        return (-self.priority, self.number) < (-other.priority, other.number)

    @property
    def done(self) -> bool:
        """There is a result, or it was cancelled."""
        return self._over.is_set()

    def result(self, timeout: float | None = None) -> SearchResult:
        """Wait for it. A search that failed has a result too, which says so (`error`).

        Raises:
            TimeoutError: not done after `timeout` seconds; it goes on.
            CancelledError: it was cancelled.
            RuntimeError: what drives the queue broke down.
        """
        if not self._over.wait(timeout):
            raise TimeoutError(
                f"the search for {self.request.target!r} is not done after {timeout} s; wait "
                "longer, or cancel it"
            )
        if self._fault is not None:
            raise RuntimeError("the search queue broke down") from self._fault
        if self._outcome is None:
            raise CancelledError(f"the search for {self.request.target!r} was cancelled")
        return self._outcome

    def cancel(self) -> bool:
        """Give up the search, its place is free before the next batch. False: it is done."""
        return self._cancel(self)

    def end(
        self,
        state: State,
        outcome: SearchResult | None = None,
        fault: BaseException | None = None,
    ) -> None:
        """For the queue: what became of it; whoever waits goes on."""
        self.state, self._outcome, self._fault = state, outcome, fault
        self._over.set()
