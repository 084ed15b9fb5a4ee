"""The tree of image regions that a search explores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from seal.geometry import Box
from seal.search.protocol import Cue, Detections, Heat


@dataclass(slots=True, eq=False, repr=False)
class SearchNode:
    """One region of the image, and what the model saw there once it was visited."""

    box: Box  # image pixels
    depth: int = 1
    score: float = 0.0  # priority: higher is visited sooner
    parent: SearchNode | None = field(default=None, repr=False)
    confidence: float = 0.0  # of the best detection here (0: none), or of what else ends a search
    best_box: Box | None = None  # image pixels
    said: str | None = None  # what the detector read or wrote here, if it says so
    cue_kind: Literal["target", "contextual"] | None = None  # what ranked the children
    cue: Cue | None = None  # the contextual cue, where one was asked for
    heat: Heat | None = field(default=None, repr=False)  # what ranked the children, patch pixels
    child_shares: list[float] | None = None  # of `heat`, one per child in raster order
    # By kind of query: how sure the model was that the target is here (existing), would be found
    # closer by (latent), that the question can be answered from here (answering); `expert`: the
    # score of its best detection.
    confidences: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        seen = f"{self.confidence:.2f} {self.best_box}" if self.best_box else "nothing seen"
        return f"<SearchNode {self.box}, depth {self.depth}, score {self.score:.3g}: {seen}>"

    def __lt__(self, other: SearchNode) -> bool:
        # By score alone: equal scores then leave the heap in the original's order.
        return self.score > other.score

    def observe(self, detections: Detections) -> None:
        """Keep the best detection; the rest is not needed after the visit."""
        self.said = detections.said
        if len(detections.scores):
            best = int(detections.scores.argmax())
            self.confidence = float(detections.scores[best])
            assert 0 <= self.confidence <= 1, f"a model gave the score {self.confidence}"
            self.best_box = self.to_image(detections.boxes[best])

    def to_image(self, box_xyxy: np.ndarray) -> Box:
        """(4,) in pixels of this region -> the box in image pixels."""
        return Box(*(float(edge) for edge in box_xyxy)).shift(self.box.x0, self.box.y0)

    def lineage(self) -> Iterator[SearchNode]:
        """The node, its parent, and so on up to the root."""
        node: SearchNode | None = self
        while node is not None:
            yield node
            node = node.parent


def split(box: Box) -> list[Box]:
    """Four children: 2 x 2, or four strips when one side is at least twice the other.

    Row by row, left to right; the last of a row or column takes the rest.
    """
    ratio = box.height / box.width
    columns, rows = (1, 4) if ratio >= 2 else (4, 1) if ratio <= 0.5 else (2, 2)
    dx, dy = int(box.width // columns), int(box.height // rows)
    xs = [box.x0 + i * dx for i in range(columns)] + [box.x1]
    ys = [box.y0 + j * dy for j in range(rows)] + [box.y1]
    return [Box(xs[i], ys[j], xs[i + 1], ys[j + 1]) for j in range(rows) for i in range(columns)]


def expand(node: SearchNode) -> list[SearchNode]:
    """Children scored by every heat above them, each level weighing a quarter of the last."""
    regions = split(node.box)
    scores = [0.0] * len(regions)
    for ancestor in node.lineage():
        assert ancestor.heat is not None  # only visited nodes with a heat have children
        x0, y0 = ancestor.box.x0, ancestor.box.y0
        shares = ancestor.heat.shares([region.shift(-x0, -y0) for region in regions])
        if ancestor is node:
            node.child_shares = shares
        scores = [s + share / 4**ancestor.depth for s, share in zip(scores, shares, strict=True)]
    return [
        SearchNode(box, node.depth + 1, score, node)
        for box, score in zip(regions, scores, strict=True)
    ]
