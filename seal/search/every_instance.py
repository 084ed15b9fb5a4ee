"""Every thing of a name, not the first: all regions down to the leaves, and each thing once."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from PIL.Image import Image

from seal.geometry import Box
from seal.search.budget import BudgetSpentError
from seal.search.config import SearchConfig
from seal.search.instances import NMS_IOU, Seen, merge, never_whole, seen_in, window
from seal.search.locator import Search
from seal.search.protocol import AskAll, Detections, Patch, Query, QueryKind
from seal.search.tree import SearchNode, split
from seal.search.visits import Visits

TOGETHER = 16  # regions asked about at once, between two looks at the budget


class EveryInstance:
    """Looks at every region, the largest first, whatever it finds; its numbers are
    `SearchConfig.every_instance`.

    Every box above `instance_threshold` of any region is an instance, each thing once (see
    `merge`), the best first. What borders cut in every region is looked at again, in the middle of
    a region that is no part of the tree; what is not seen there is none. Where there is no
    instance, the verdict is that of any exhausted search.
    """

    name = "every_instance"
    needs: frozenset[QueryKind] = frozenset({"detect"})

    def __init__(self, config: SearchConfig | None = None) -> None:
        self.config = config or SearchConfig()

    def explore(
        self, image: Image, target: str, question: str = "", num_targets: int = 1
    ) -> Search:
        """Search `image` for `target` by detection alone."""
        visits = Visits(image, target, self.config, self.name)
        return visits.within_budget(self._explore(visits))

    def _explore(self, visits: Visits) -> Search:
        numbers = self.config.every_instance
        overlap = {
            "nms_iou": NMS_IOU if self.config.nms_iou is None else self.config.nms_iou,
            "contained": numbers.contained,
        }
        seen: list[Seen] = []
        level = [visits.root()]
        try:
            while level:
                yield from self._look(visits, level, seen)
                level = self._next_level(visits, level)
            if numbers.look_again:
                yield from self._look_again(visits, never_whole(seen, **overlap), seen)
                # What is there has been seen whole by now; the rest was none, seen from nearby.
                seen = [one for one in seen if not one.cut_at]
        except BudgetSpentError:
            pass  # what was seen until then; whoever runs the search says so
        instances = merge(seen, **overlap, ties=visits.ties)
        if not instances:
            return visits.exhausted()
        best = instances[0]
        boxes = [one.box for one in instances]
        result = visits.result(visits.path[best.node], [*boxes], [one.score for one in instances])
        result.best_box, result.best_score = best.box, best.score  # whole, if two regions cut it
        return result

    def _look(
        self, visits: Visits, waiting: list[SearchNode], seen: list[Seen]
    ) -> Generator[AskAll, Any, None]:
        """Add what regions show to `seen`."""
        while waiting:
            count = visits.spending.room(len(visits.path), min(len(waiting), TOGETHER))
            asked, waiting = waiting[:count], waiting[count:]
            patches = [Patch(visits.image, node.box) for node in asked]
            found = yield AskAll(tuple(Query("detect", each, visits.target) for each in patches))
            for node, detections in zip(asked, found, strict=True):
                seen += self._seen(visits, node, detections)

    def _look_again(
        self, visits: Visits, pieces: list[Seen], seen: list[Seen]
    ) -> Generator[AskAll, Any, None]:
        """The same from regions that have the pieces in the middle; each region once."""
        nodes: dict[Box, SearchNode] = {}
        for piece in pieces:
            near = visits.path[piece.node]
            box = window(piece, near.box, visits.image.size)
            nodes.setdefault(box, SearchNode(box, near.depth, parent=near))
        yield from self._look(visits, list(nodes.values()), seen)

    def _seen(self, visits: Visits, node: SearchNode, detections: Detections) -> list[Seen]:
        """The boxes of a region that are instances."""
        visits.observe(node, detections)
        index, threshold = len(visits.path) - 1, self.config.instance_threshold
        visits.compare_scores(index, detections)
        border = self.config.every_instance.border
        return [
            seen_in(node.box, node.to_image(box), float(score), index, visits.image.size, border)
            for box, score in zip(detections.boxes, detections.scores, strict=True)
            if score > threshold
        ]

    def _next_level(self, visits: Visits, level: list[SearchNode]) -> list[SearchNode]:
        """The regions below, the largest first."""
        deepest = self.config.every_instance.max_depth
        if deepest is not None and level[0].depth >= deepest:
            return []
        children = [
            SearchNode(box, node.depth + 1, parent=node)
            for node in level
            if not visits.is_leaf(node)
            for box in split(node.box)
        ]
        return sorted(children, key=lambda node: -node.box.area)
