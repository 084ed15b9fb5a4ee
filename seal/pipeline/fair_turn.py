"""Whose turn it is: a lock that goes to whoever has waited longest."""

from __future__ import annotations

import threading
from collections import deque


class FairTurn:
    """A context manager. Of several queues over the same networks, each has its turn.

    A plain lock may go to the same thread over and over, if it asks again at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Event] = deque()

    def __enter__(self) -> FairTurn:
        with self._lock:
            if not self._taken:
                self._taken = True
                return self
            mine = threading.Event()
            self._waiting.append(mine)
        mine.wait()
        return self

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()  # still taken, by the next one
            else:
                self._taken = False
