"""What all strategies share: visiting a region, the stop rule, and the verdict."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
from PIL.Image import Image

from seal.geometry import Box
from seal.search.budget import BudgetSpentError, Spending
from seal.search.config import SearchConfig
from seal.search.locator import Search
from seal.search.near_ties import NearTies
from seal.search.protocol import Ask, Detections, Heat, Patch, Query, QueryKind
from seal.search.result import SearchResult
from seal.search.tree import SearchNode

MAX_UPCOMING = 16  # patches named ahead; a driver takes as many of them as it likes


class Visits:
    """The visits of one search so far."""

    def __init__(self, image: Image, target: str, config: SearchConfig, strategy: str) -> None:
        self.image, self.target = image, target
        self.config, self.strategy = config, strategy
        self.path: list[SearchNode] = []
        self.spending = Spending(config.budget)
        self.ties = NearTies(config.near_tie_margin)
        self._second: dict[int, float] = {}  # visit -> the second best score there

    def within_budget(self, steps: Search) -> Search:
        """Run a search; if its budget ends it, what it has seen is all there is."""
        try:
            result = yield from self.spending.run(steps)
        except BudgetSpentError:
            result = self.exhausted()
        if self.spending.spent is not None:
            result.stopped_early = self.spending.spent
        return result

    def root(self) -> SearchNode:
        return SearchNode(Box(0, 0, *self.image.size))

    def is_leaf(self, node: SearchNode) -> bool:
        return self.config.is_leaf(node.box, *self.image.size)

    def look(
        self, node: SearchNode, upcoming: Sequence[Box] = (), kind: QueryKind = "detect"
    ) -> Generator[Ask, Any, tuple[SearchResult | None, Heat | None]]:
        """Detect the target in a region: the result if that ends the search, and the heat if the
        detections came with it. `kind`: "detect", or "expert" if that one looks.

        Raises:
            BudgetSpentError: that would be a visit too many.
        """
        self.spending.require_node(len(self.path))
        patches = tuple(Patch(self.image, box) for box in upcoming)
        query = Query(kind, Patch(self.image, node.box), self.target)
        detections: Detections = yield Ask(query, patches, node)
        self.observe(node, detections)
        if node.best_box is not None:
            self.ties.compare(
                "confidence_high", len(self.path) - 1, node.confidence, self.config.confidence_high
            )
        if node.confidence <= self.config.confidence_high:
            return None, detections.heat
        boxes, scores = [node.best_box], [node.confidence]
        if len(self.path) == 1:
            boxes, scores = self._instances(node, detections) or (boxes, scores)
        return self.result(node, boxes, scores), detections.heat

    def observe(self, node: SearchNode, detections: Detections) -> None:
        """Count a visit, and keep the best detection."""
        self.path.append(node)
        node.observe(detections)
        if len(detections.scores) > 1:
            self._second[len(self.path) - 1] = float(np.partition(detections.scores, -2)[-2])

    def sure(self, node: SearchNode, kind: QueryKind, text: str) -> Generator[Ask, Any, float]:
        """How sure the model is of `text` in a region, noted there. `kind`: of `Confidences`."""
        said = yield Ask(Query(kind, Patch(self.image, node.box), text))
        node.confidences[kind] = probability(said)
        return node.confidences[kind]

    def exhausted(self) -> SearchResult:
        """Nothing is left to visit: the best detection, if it is good enough."""
        best = max(self.path, key=lambda node: node.confidence, default=None)  # earliest of equals
        if best is None or best.best_box is None or best.confidence == 0:
            return self.result(None, [], [])  # no detection at all: not found
        index = self.path.index(best)
        others = [node.confidence for node in self.path if node is not best]
        if others:
            self.ties.compare("best_region", index, best.confidence, max(others))
        self.ties.compare("confidence_low", index, best.confidence, self.config.confidence_low)
        if best.confidence < self.config.confidence_low:
            return self.result(best, [], [])
        return self.result(best, [best.best_box], [best.confidence])

    def settled(self, root: SearchNode) -> SearchResult:
        """Nothing needs to be found: the whole image is enough."""
        result = self.result(None, [], [])
        result.settled, result.num_steps = True, self.path.index(root) + 1
        return result

    def compare_scores(self, index: int, detections: Detections) -> None:
        """Tell which boxes of a visit are barely instances, or barely not."""
        threshold = self.config.instance_threshold
        for score in detections.scores[np.abs(detections.scores - threshold) < self.ties.below]:
            self.ties.compare("instance_threshold", index, score, threshold)

    def _instances(
        self, node: SearchNode, detections: Detections
    ) -> tuple[list[Box | None], list[float]] | None:
        """Every box above the instance threshold, in the detector's order; None if there is none.

        None happens when `confidence_high` lies below `instance_threshold`: then the best box is
        the only instance.
        """
        threshold = self.config.instance_threshold
        keep = [i for i, s in enumerate(detections.scores) if s > threshold]
        self.compare_scores(0, detections)
        boxes = {i: node.to_image(detections.boxes[i]) for i in keep}
        if self.config.nms_iou is not None:
            kept: list[int] = []
            for i in sorted(keep, key=lambda i: -float(detections.scores[i])):
                ious = [boxes[i].iou(boxes[j]) for j in kept]
                if ious:
                    self.ties.compare("nms_iou", 0, max(ious), self.config.nms_iou)
                if all(iou <= self.config.nms_iou for iou in ious):
                    kept.append(i)
            keep = sorted(kept)
        if not keep:
            return None
        return [boxes[i] for i in keep], [float(detections.scores[i]) for i in keep]

    def result(
        self, node: SearchNode | None, boxes: list[Box | None], scores: list[float]
    ) -> SearchResult:
        """What the visits so far come to: these boxes, the best of them seen at `node`."""
        index = None if node is None else self.path.index(node)
        if node is not None and index in self._second:
            self.ties.compare("best_box", index, node.confidence, self._second[index])
        return SearchResult(
            target=self.target,
            strategy=self.strategy,
            found=bool(boxes),
            boxes=[box for box in boxes if box is not None],
            scores=scores,
            best_box=node.best_box if node else None,
            best_score=node.confidence if node else 0.0,
            num_steps=len(self.path) if index is None else index + 1,
            near_ties=self.ties.noted,
            path=self.path,
            image_size=self.image.size,
            config=self.config.numbers(),
        )


def probability(sure: float) -> float:
    """What a model said of how sure it is."""
    assert 0 <= sure <= 1, f"a model gave the confidence {sure}"
    return float(sure)
