"""What one browser tab has on the page, which nobody else sees, and what is under way for it."""

from __future__ import annotations

import threading

from PIL import Image

from seal.app.desk import Under
from seal.app.sessions import Entry


class Visitor:
    """Of one tab: its picture, and what was asked. No dataclass: gradio would take it apart."""

    def __init__(self) -> None:
        self.image: Image.Image | None = None
        self.name = ""  # of the picture
        self.entries: list[Entry] = []  # the oldest first


class Tickets:
    """Of each tab, by its session, what is under way: one question at a time."""

    def __init__(self) -> None:
        self._of: dict[str, Under] = {}
        self._lock = threading.Lock()

    def keep(self, session: str, ticket: Under) -> None:
        with self._lock:
            self._of[session] = ticket

    def drop(self, session: str) -> None:
        with self._lock:
            self._of.pop(session, None)

    def cancel(self, session: str) -> None:
        """Stop what is under way, if anything is."""
        with self._lock:
            ticket = self._of.pop(session, None)
        if ticket is not None:
            ticket.cancel()
