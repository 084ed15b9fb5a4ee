"""What all strategies share: visiting a region, the stop rule, and the verdict."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from PIL.Image import Image

from seal.geometry import Box
from seal.search.config import SearchConfig
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

    def root(self) -> SearchNode:
        return SearchNode(Box(0, 0, *self.image.size))

    def is_leaf(self, node: SearchNode) -> bool:
        return self.config.is_leaf(node.box, *self.image.size)

    def look(
        self, node: SearchNode, upcoming: Sequence[Box] = (), kind: QueryKind = "detect"
    ) -> Generator[Ask, Any, tuple[SearchResult | None, Heat | None]]:
        """Detect the target in a region: the result if that ends the search, and the heat if the
        detections came with it. `kind`: "detect", or "expert" if that one looks.
        """
        self.path.append(node)
        patches = tuple(Patch(self.image, box) for box in upcoming)
        query = Query(kind, Patch(self.image, node.box), self.target)
        detections: Detections = yield Ask(query, patches, node)
        node.observe(detections)
        if node.confidence <= self.config.confidence_high:
            return None, detections.heat
        boxes, scores = [node.best_box], [node.confidence]
        if len(self.path) == 1:
            boxes, scores = self._instances(node, detections) or (boxes, scores)
        return self.result(node, boxes, scores), detections.heat

    def sure(self, node: SearchNode, kind: QueryKind, text: str) -> Generator[Ask, Any, float]:
        """How sure the model is of `text` in a region, noted there. `kind`: of `Confidences`."""
        said = yield Ask(Query(kind, Patch(self.image, node.box), text))
        node.confidences[kind] = probability(said)
        return node.confidences[kind]

    def exhausted(self) -> SearchResult:
        """Nothing is left to visit: the best detection, if it is good enough."""
        best = max(self.path, key=lambda node: node.confidence)  # the earliest, among equals
        if best.best_box is None or best.confidence == 0:
            return self.result(None, [], [])  # no detection at all: not found
        if best.confidence < self.config.confidence_low:
            return self.result(best, [], [])
        return self.result(best, [best.best_box], [best.confidence])

    def settled(self, root: SearchNode) -> SearchResult:
        """Nothing needs to be found: the whole image is enough."""
        result = self.result(None, [], [])
        result.settled, result.num_steps = True, self.path.index(root) + 1
        return result

    def _instances(
        self, node: SearchNode, detections: Detections
    ) -> tuple[list[Box | None], list[float]] | None:
        """Every box above the instance threshold, in the detector's order; None if there is none.

        None happens when `confidence_high` lies below `instance_threshold`: then the best box is
        the only instance.
        """
        keep = [i for i, s in enumerate(detections.scores) if s > self.config.instance_threshold]
        boxes = {i: node.to_image(detections.boxes[i]) for i in keep}
        if self.config.nms_iou is not None:
            kept: list[int] = []
            for i in sorted(keep, key=lambda i: -float(detections.scores[i])):
                if all(boxes[i].iou(boxes[j]) <= self.config.nms_iou for j in kept):
                    kept.append(i)
            keep = sorted(kept)
        if not keep:
            return None
        return [boxes[i] for i in keep], [float(detections.scores[i]) for i in keep]

    def result(
        self, node: SearchNode | None, boxes: list[Box | None], scores: list[float]
    ) -> SearchResult:
        """What the visits so far come to: these boxes, the best of them seen at `node`."""
        return SearchResult(
            target=self.target,
            strategy=self.strategy,
            found=bool(boxes),
            boxes=[box for box in boxes if box is not None],
            scores=scores,
            best_box=node.best_box if node else None,
            best_score=node.confidence if node else 0.0,
            num_steps=self.path.index(node) + 1 if node else len(self.path),
            path=self.path,
            image_size=self.image.size,
            config=self.config.numbers(),
        )


def probability(sure: float) -> float:
    """What a model said of how sure it is."""
    assert 0 <= sure <= 1, f"a model gave the confidence {sure}"
    return float(sure)
