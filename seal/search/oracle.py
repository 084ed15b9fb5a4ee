"""Searching with known boxes: the upper bound, and what the tests search with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL.Image import Image

from seal.geometry import Box
from seal.search.heatmap import GridHeat
from seal.search.locator import LocateRequest
from seal.search.protocol import Cue, Detections, Patch, Query
from seal.search.result import SearchResult
from seal.search.tree import SearchNode

Known = Callable[[Image, str], Sequence[Box]]  # true boxes of a target in an image, pixels

GRID = 64  # cells along a patch side: fine enough to point, cheap at any image size


def always(*boxes: Box) -> Known:
    """The same boxes whatever the image and the target."""
    return lambda image, target: boxes


class OracleModel:
    """A search model that sees a target once it covers `min_share` of a patch.

    Until then it only knows where the target would be: its heat peaks there. Of a target that
    reaches out of a patch at least `min_visible` has to lie inside.
    """

    name = "annotated"

    def __init__(
        self,
        known: Known,
        *,
        min_share: float = 0.01,
        min_visible: float = 0.0,
        peak: float = 10.0,
    ) -> None:
        self.known = known
        self.min_share, self.min_visible = min_share, min_visible
        self.peak = peak

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        return [self._detect(query.patch, query.text) for query in queries]

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        return [
            Cue(f"The {query.text} is most likely to appear there.", query.text, "oracle")
            for query in queries
        ]

    def cue_heatmap(self, queries: Sequence[Query]) -> list[GridHeat]:
        return [self._heat(query.patch, self._inside(query.patch, query.text)) for query in queries]

    def settings(self) -> dict[str, float]:
        """When it sees a target."""
        return {"min_share": self.min_share, "min_visible": self.min_visible}

    def _inside(self, patch: Patch, target: str) -> list[Box]:
        """The known boxes in patch pixels, those that reach into the patch."""
        x0, y0 = patch.box.x0, patch.box.y0
        boxes = [box.shift(-x0, -y0) for box in self.known(patch.image, target)]
        return [box for box in boxes if _visible(box, patch.box) > 0]

    def _detect(self, patch: Patch, target: str) -> Detections:
        inside = self._inside(patch, target)
        scores = [0.9 if self._sees(box, patch.box) else 0.1 for box in inside]
        boxes = [[box.x0, box.y0, box.x1, box.y1] for box in inside]
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array(scores, np.float32),
            self._heat(patch, inside),
        )

    def _sees(self, box: Box, patch: Box) -> bool:
        visible = _visible(box, patch)
        return visible >= self.min_share * patch.area and visible >= self.min_visible * box.area

    def _heat(self, patch: Patch, inside: list[Box]) -> GridHeat:
        width, height = patch.box.width, patch.box.height
        columns, rows = min(GRID, int(width)), min(GRID, int(height))
        x, y = np.arange(columns + 1) * width / columns, np.arange(rows + 1) * height / rows
        grid = np.zeros((rows, columns))
        for box in inside:
            across = _overlap(x, box.x0, box.x1)  # (columns,)
            down = _overlap(y, box.y0, box.y1)  # (rows,)
            grid += down[:, None] * across
        return GridHeat(grid, width, height, self.peak)


class OracleLocator:
    """A `Locator` that hands out known boxes without looking; no box means not found."""

    def __init__(self, known: Known) -> None:
        self.known = known

    def locate(self, requests: Sequence[LocateRequest]) -> list[SearchResult]:
        return [self._locate(request.image, request.target) for request in requests]

    def _locate(self, image: Image, target: str) -> SearchResult:
        boxes = list(self.known(image, target))
        best = boxes[0] if boxes else None
        root = SearchNode(Box(0, 0, *image.size), confidence=1.0 if boxes else 0.0, best_box=best)
        return SearchResult(
            target=target,
            strategy="oracle",
            found=bool(boxes),
            boxes=boxes,
            scores=[1.0] * len(boxes),
            best_box=best,
            best_score=root.confidence,
            num_steps=1,
            path=[root],
            image_size=image.size,
        )


def _visible(box: Box, patch: Box) -> float:
    """Area of a box, in patch pixels, that lies inside the patch."""
    width = min(box.x1, patch.width) - max(box.x0, 0)
    height = min(box.y1, patch.height) - max(box.y0, 0)
    return max(0.0, width) * max(0.0, height)


def _overlap(edges: np.ndarray, low: float, high: float) -> np.ndarray:
    """Length of [low, high] inside each interval between consecutive edges."""
    return np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None)
