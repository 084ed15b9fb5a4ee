"""What a search returns: the verdict, the boxes, the way there and what it cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from seal.geometry import Box
from seal.search.near_ties import NearTie
from seal.search.tree import SearchNode


@dataclass(slots=True, kw_only=True)
class SearchResult:
    """The outcome of one search. Boxes are in image pixels.

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
