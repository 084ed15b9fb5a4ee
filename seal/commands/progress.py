"""What a command is doing, told on stderr while it runs: where a search is, and for how long."""

from __future__ import annotations

import shutil
import sys
import threading
import time
import unicodedata
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from seal.pipeline.events import Event
    from seal.search.tree import SearchNode

REDRAWN = 0.5  # seconds: how often the clock on a terminal moves
REPEATED = 30.0  # seconds between lines where there is no terminal: enough to see that it lives


class Progress:
    """The last line of a terminal, written over as things happen; gone when they are done.

    Without a terminal it is a line every `REPEATED` seconds, so that a log neither fills nor falls
    silent; `quiet`: nothing at all. A context manager.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._quiet = quiet
        self._live = self._stream.isatty()
        self._lock = threading.Lock()  # a thread moves the clock
        self._over = threading.Event()
        self._ticking: threading.Thread | None = None
        self._words, self._began, self._drawn = "", time.monotonic(), False
        self._search = SearchWords()

    def __enter__(self) -> Progress:
        if not self._quiet:
            self._ticking = threading.Thread(target=self._tick, daemon=True)
            self._ticking.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._ticking is not None:
            self._ticking.join()
        with self._lock:
            self._clear()

    def say(self, words: str) -> None:
        """What goes on from now on; its clock begins."""
        self._search = SearchWords()
        with self._lock:
            self._words, self._began = words, time.monotonic()
            self._draw()

    def say_on(self, words: str) -> None:
        """As `say`, with the clock running on."""
        with self._lock:
            self._words = words
            self._draw()

    def tell(self, line: str) -> None:
        """A line that stays."""
        if self._quiet:
            return
        with self._lock:
            self._clear()
            print(line, file=self._stream, flush=True)
            self._draw()

    def on_event(self, event: Event) -> None:
        """Of `Seal.ask` and `Seal.locate`."""
        self.say_on(self._search.after(event))

    def _tick(self) -> None:
        while not self._over.wait(REDRAWN if self._live else REPEATED):
            with self._lock:
                if self._live:
                    self._draw()
                elif self._words:
                    print(self._line(), file=self._stream, flush=True)

    def _line(self) -> str:
        return f"{self._words} ({time.monotonic() - self._began:.0f} s)"

    def _draw(self) -> None:
        if self._live and not self._quiet and self._words:
            room = shutil.get_terminal_size().columns - 1
            self._stream.write("\r\x1b[K" + _cut(self._line(), room))
            self._stream.flush()
            self._drawn = True

    def _clear(self) -> None:
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._drawn = False


class SearchWords:
    """The events of one question as the words for what is going on."""

    def __init__(self) -> None:
        self._visits: dict[int, tuple[str, int]] = {}  # place -> target, regions so far
        self._best: dict[int, float] = {}
        self._wanted, self._ended = 0, 0

    def after(self, event: Event) -> str:
        from seal.pipeline.events import Planned, Searched

        if isinstance(event, Planned):
            self._wanted = len(event.plan.targets)
            names = ", ".join(event.plan.targets)
            return f"searching for {names}" if names else "answering"
        if isinstance(event, Searched):
            self._ended += 1
            if self._ended >= max(self._wanted, len(self._visits)):
                return "answering" if self._wanted else "search is over"
            return self._counts()
        place = event.place
        self._visits[place] = (event.target, event.number)
        self._best[place] = max(self._best.get(place, 0.0), event.node.confidence)
        return f"{self._counts()}, now {_where(event.node)}, best {self._best[place]:.2f}"

    def _counts(self) -> str:
        counts = [
            f"{target or 'the question'}: {number} region{'s' if number != 1 else ''}"
            for target, number in self._visits.values()
        ]
        return "; ".join(counts)


def _where(node: SearchNode) -> str:
    """`1/16 of the image at (320, 0)`."""
    *_, root = node.lineage()
    if node is root:
        return "the whole image"
    box, whole = node.box, root.box
    share = (whole.width * whole.height) / max(box.width * box.height, 1)
    return f"1/{share:.0f} of the image at ({box.x0:.0f}, {box.y0:.0f})"


def _cut(text: str, room: int) -> str:
    """As much as `room` columns show; letters of some scripts take two."""
    used, kept = 0, []
    for letter in text:
        used += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if used > room:
            break
        kept.append(letter)
    return "".join(kept)
