"""What a search returns: the verdict, the boxes, the way there and what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL.Image import Image

from seal.geometry import Box
from seal.images.show import show_picture
from seal.search.near_ties import NearTie
from seal.search.tree import SearchNode

EVERY = "every_instance"  # the strategy that counts


@dataclass(slots=True, kw_only=True, repr=False)
class SearchResult:
    """The outcome of one search. Boxes are in image pixels.

    `print` tells it in a line, a notebook shows its picture, and so do `show()` and `picture()`.

    When nothing was good enough, `found` is False and `boxes` is empty: whoever wants to go on
    with the best guess has to say so by reading `best_box`. The same when the search was `settled`,
    but then nothing is missing.
    """

    target: str
    strategy: str
    found: bool
    # The instances; more than one only if seen on the whole image, or if every one was sought.
    boxes: list[Box]
    scores: list[float]  # one per box, in the detector's order like the boxes, or the best first
    best_box: Box | None = None  # best detection seen, accepted or not
    best_score: float = 0.0
    num_steps: int = 0  # search length: visits up to the one that gave the best box
    settled: bool = False  # nothing to search for: the whole image answers the question
    # What was spent, as in "12 nodes", when the budget ended the search; the verdict is that of an
    # exhausted one, over what was seen until then.
    stopped_early: str | None = None
    near_ties: list[NearTie] = field(default_factory=list)  # what another float order could turn
    path: list[SearchNode] = field(default_factory=list)  # every visit, in order; holds the maps
    image_size: tuple[int, int] = (0, 0)  # width, height
    config: dict[str, Any] = field(default_factory=dict)  # of the search
    # The driver fills these in.
    guide: dict[str, Any] = field(default_factory=dict)  # what answered: parts, models, settings
    calls: dict[str, int] = field(default_factory=dict)  # queries asked, by kind
    evaluated_ahead: int = 0  # detections run ahead of their turn, used or not
    wasted_ahead: int = 0  # of these, the ones whose turn never came
    seconds: dict[str, float] = field(default_factory=dict)  # by kind, and "search" for the rest

    # Of a search that failed, which has found nothing: the error on the first line, then its trace.
    error: str | None = None
    failure: Exception | None = field(default=None, repr=False, compare=False)  # the error itself
    notes: list[str] = field(default_factory=list)  # what whoever reads the result should know
    # What was searched, of a single search; many side by side keep no picture.
    image: Image | None = field(default=None, repr=False, compare=False)

    @property
    def count(self) -> int:
        """Instances found; how many there are only says a search for every one (`strategy`)."""
        return len(self.boxes)

    @property
    def num_calls(self) -> int:
        return sum(self.calls.values())

    @property
    def extractors(self) -> list[str]:
        """What took the location phrases out of the cue answers."""
        return sorted({node.cue.extractor for node in self.path if node.cue is not None})

    def __str__(self) -> str:
        """A line: where it was found, how surely, and how many regions were looked at."""
        visits = f"{len(self.path)} region{'s' if len(self.path) != 1 else ''} looked at"
        if self.stopped_early is not None:
            visits += f", stopped early after {self.stopped_early}"
        name = self.target or "what the question is about"  # of ViCrop, which needs no name
        if self.error is not None:
            return f"{name}: the search failed: {self.error.splitlines()[0]}"
        if self.settled:
            return f"{name}: not searched for, the whole image answers the question"
        if not self.found:
            return f"{name}: not found ({visits})"
        boxes = "; ".join(
            f"{box} ({score:.2f})" for box, score in zip(self.boxes, self.scores, strict=True)
        )
        if self.strategy == EVERY:
            boxes = f"{self.count} found: {boxes}"
        return f"{name}: {boxes} ({visits})"

    def __repr__(self) -> str:
        return f"<SearchResult {self}>"

    def picture(self, image: Image | None = None, *, width: int = 1024) -> Image:
        """One sheet: the image with every visited region, then the crops in order.

        image: what was searched, upright, where the result holds it not.

        Raises:
            ValueError: the result holds no picture, and none is given.
        """
        from seal.search.draw import draw_path

        image = self.image if image is None else image
        if image is None:
            raise ValueError(
                "results of many searches do not keep their pictures: give what was searched, as "
                "in result.picture(image)"
            )
        return draw_path(image, self, width=width)

    def show(self, image: Image | None = None) -> Path | None:
        """Show the picture: in a notebook there, on a desktop in a window; elsewhere it is written
        to a file, whose path is told on stderr and returned.
        """
        return show_picture(self.picture(image), "search")

    def _repr_html_(self) -> str:
        """What a notebook shows: the line, and the picture where there is one."""
        from seal.pages.shown import shown_html

        return shown_html(str(self), None if self.image is None else self.picture(), self.notes)
