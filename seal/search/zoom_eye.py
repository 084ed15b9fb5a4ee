"""Zooming in until the question can be answered: best first by how sure a model is (ZoomEye).

Shen et al. 2025 (arXiv 2411.16044): a region's priority mixes whether the target is seen there with
whether it would be found closer by; the search ends at the first region from which the question can
be answered, by a threshold that falls as it goes on.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import count
from typing import Any

from PIL.Image import Image

from seal.geometry import Box
from seal.search.budget import BudgetSpentError
from seal.search.config import SearchConfig
from seal.search.locator import Search
from seal.search.protocol import Ask, AskAll, Detections, Patch, Query, QueryKind
from seal.search.result import SearchResult
from seal.search.tree import SearchNode, split
from seal.search.visits import Visits, probability


class ZoomEye:
    """Visits the region of the highest priority next; its numbers are `SearchConfig.zoom_eye`.

    A target that nobody asks about is sought until it is seen: the existing confidence then ends
    the search. If the whole image answers the question, the search is settled and finds
    nothing.
    """

    name = "zoom_eye"

    def __init__(self, config: SearchConfig | None = None, *, asks: bool = True) -> None:
        """`asks=False`: questions are not put, only targets sought."""
        self.config = config or SearchConfig()
        self.asks = asks and self.config.zoom_eye.stop_by == "answering"
        self.needs: frozenset[QueryKind] = frozenset({"existing", "latent"})
        if self.asks:
            self.needs |= {"answering"}
        if self.config.zoom_eye.box == "detect":
            self.needs |= {"detect"}

    def explore(
        self, image: Image, target: str, question: str = "", num_targets: int = 1
    ) -> Search:
        """Search `image` for `target`: yields asks, is sent answers, returns the result."""
        visits = Visits(image, target, self.config, self.name)
        return visits.within_budget(self._explore(visits, question, num_targets))

    def _explore(self, visits: Visits, question: str, num_targets: int) -> Search:
        numbers, target = self.config.zoom_eye, visits.target
        if self.asks and question and num_targets > 1:
            question = numbers.target_question.format(target=target)
        asked = question if self.asks else ""
        root = visits.root()
        levels = self._levels(root.box)
        budget = max(1, numbers.steps_per_level * levels)
        pushed = count()
        # Equal priorities leave in the order in which they came.
        queue = [(0.0, next(pushed), root)]
        chosen: list[SearchNode] = []
        try:
            while queue and len(visits.path) < budget and not chosen:
                _, _, node = heapq.heappop(queue)
                if queue:
                    visits.ties.compare("next_region", len(visits.path), node.score, -queue[0][0])
                yield from self._visit(visits, node, asked)
                step = len(visits.path) - 1
                best = self._surest(visits, numbers.threshold_at(step, levels))
                if len(best) == numbers.instances or root in best:
                    chosen = best
                elif step + 1 < budget and not self._is_leaf(node.box, node.depth - 1):
                    for child in (yield from self._expand(visits, node, levels)):
                        heapq.heappush(queue, (-child.score, next(pushed), child))
        except BudgetSpentError:
            chosen = []  # the surest of those visited until then
        chosen = chosen or self._surest(visits, numbers.final_threshold)
        if asked and root in chosen:
            result = visits.settled(root)
        else:
            result = yield from self._found(visits, chosen)
        result.config = asdict(numbers) | {
            "min_size": self._min_size, "levels": levels, "max_steps": budget, "question": asked,
        }  # fmt: skip
        return result

    @property
    def _min_size(self) -> int:
        own = self.config.zoom_eye.min_size
        return self.config.min_size if own is None else own

    def _is_leaf(self, box: Box, depth: int) -> bool:
        return (
            depth >= self.config.zoom_eye.max_depth or min(box.width, box.height) <= self._min_size
        )

    def _levels(self, box: Box) -> int:
        """Of the tree below the whole image; where a side cannot be halved the last part is the
        largest, and the last to be a leaf."""
        depth = 0
        while not self._is_leaf(box, depth):
            box, depth = split(box)[-1], depth + 1
        return depth

    def _visit(self, visits: Visits, node: SearchNode, asked: str) -> Generator[Ask, Any, None]:
        """How sure the model is to stop here."""
        visits.spending.require_node(len(visits.path))
        kind: QueryKind = "answering" if asked else "existing"
        if kind not in node.confidences:  # a child's existing confidence gave it its priority
            yield from visits.sure(node, kind, asked or visits.target)
        node.confidence = node.confidences[kind]
        visits.path.append(node)

    def _surest(self, visits: Visits, threshold: float) -> list[SearchNode]:
        """Of those visited, as many as are sought that reach the threshold."""
        most = self.config.zoom_eye.instances
        for node in surest(visits.path, 0.0, most):
            index = visits.path.index(node)
            visits.ties.compare("stop_threshold", index, node.confidence, threshold)
        return surest(visits.path, threshold, most)

    def _expand(
        self, visits: Visits, node: SearchNode, levels: int
    ) -> Generator[AskAll, Any, list[SearchNode]]:
        """The children, with the priority of each."""
        children = [SearchNode(box, node.depth + 1, parent=node) for box in split(node.box)]
        patches = [Patch(visits.image, child.box) for child in children]
        kinds: tuple[QueryKind, ...] = ("existing", "latent")
        for kind in kinds:
            sure = yield AskAll(tuple(Query(kind, patch, visits.target) for patch in patches))
            for child, each in zip(children, sure, strict=True):
                child.confidences[kind] = probability(each)
        weight = self.config.zoom_eye.existing_weight(node.depth, levels)
        for child in children:
            existing, latent = (child.confidences[kind] for kind in kinds)
            child.score = weight * existing + (1 - weight) * latent
        return children

    def _found(
        self, visits: Visits, chosen: Sequence[SearchNode]
    ) -> Generator[AskAll, Any, SearchResult]:
        """The regions, or what is detected in them; nothing found: the surest is the best guess.

        Regions too where the budget leaves no question to detect anything with.
        """
        nodes = list(chosen) or surest(visits.path, 0.0, 1)
        if not nodes:
            return visits.result(None, [], [])
        for node in nodes:
            node.best_box = node.box
        if self.config.zoom_eye.box == "detect":
            patches = [Patch(visits.image, node.box) for node in nodes]
            asked = AskAll(tuple(Query("detect", each, visits.target) for each in patches))
            found: list[Detections] = []
            with suppress(BudgetSpentError):
                found = yield asked
            for node, detections in zip(nodes, found, strict=False):
                node.best_box = self._detected(node, detections) or node.box
        boxes = [node.best_box for node in chosen]
        return visits.result(nodes[0], boxes, [node.confidence for node in chosen])

    def _detected(self, node: SearchNode, detections: Detections) -> Box | None:
        if not len(detections.scores):
            return None
        best = int(detections.scores.argmax())
        if detections.scores[best] < self.config.confidence_low:
            return None
        return node.to_image(detections.boxes[best])


def surest(path: Sequence[SearchNode], threshold: float, most: int) -> list[SearchNode]:
    """The surest of the visited regions that reach the threshold, none inside another; of equals
    the earlier."""
    chosen: list[SearchNode] = []
    for node in sorted(path, key=lambda node: -node.confidence):
        if node.confidence < threshold or len(chosen) == most:
            break
        if not any(node in other.lineage() or other in node.lineage() for other in chosen):
            chosen.append(node)
    return chosen
