"""LLM-guided visual search (V*): best-first over a tree of image regions."""

from __future__ import annotations

import heapq
from collections.abc import Generator
from typing import Any

from PIL.Image import Image

from seal.geometry import Box
from seal.search.config import SearchConfig
from seal.search.locator import Search
from seal.search.protocol import Ask, Heat, Patch, Query, QueryKind
from seal.search.tree import SearchNode, expand, split
from seal.search.visits import MAX_UPCOMING, Visits

__all__ = ["GuidedSearch", "SearchConfig"]


class GuidedSearch:
    """Visits regions in the order of their share of what the model's cues point at."""

    def __init__(self, config: SearchConfig | None = None, name: str = "guided") -> None:
        self.config = config or SearchConfig()
        self.name = name
        self.needs: frozenset[QueryKind] = frozenset({"detect"})
        if self.config.use_contextual_cue:
            self.needs |= {"contextual_cue", "cue_heatmap"}
        if self.config.use_target_cue or not self.config.use_contextual_cue:
            self.needs |= {"target_heat"}

    def explore(
        self, image: Image, target: str, question: str = "", num_targets: int = 1
    ) -> Search:
        """Search `image` for `target`: yields asks, is sent answers, returns the result."""
        visits = Visits(image, target, self.config, self.name)
        return visits.within_budget(self._explore(visits))

    def _explore(self, visits: Visits) -> Search:
        frontier = [visits.root()]
        while frontier:
            node = heapq.heappop(frontier)
            if frontier and node.score > 0:  # two that no heat reaches leave in their order
                visits.ties.compare("next_region", len(visits.path), node.score, frontier[0].score)
            upcoming = likely_next(frontier, None if visits.is_leaf(node) else node)
            result, heat = yield from visits.look(node, upcoming)
            if result is not None:
                return result
            if visits.is_leaf(node):
                continue
            yield from self.choose_heat(visits, node, heat)
            for child in expand(node):
                heapq.heappush(frontier, child)
        return visits.exhausted()

    def choose_heat(
        self, visits: Visits, node: SearchNode, target_heat: Heat | None
    ) -> Generator[Ask, Any, None]:
        """Let the target's own heat guide if it is strong, else ask where the target would be."""
        config, target = self.config, visits.target
        patch = Patch(visits.image, node.box)
        if config.use_target_cue or not config.use_contextual_cue:
            if target_heat is None:
                target_heat = yield Ask(Query("target_heat", patch, target))
                assert target_heat is not None  # the driver sends a Heat
            peak, threshold = target_heat.peak(), config.cue_threshold_at(node.depth)
            strong = peak > threshold
            if config.use_contextual_cue:
                visits.ties.compare("cue_threshold", len(visits.path) - 1, peak, threshold)
            if strong or not config.use_contextual_cue:
                node.cue_kind, node.heat = "target", target_heat
                return
        node.cue = yield Ask(Query("contextual_cue", patch, target))
        assert node.cue is not None  # the driver sends a Cue
        node.cue_kind = "contextual"
        node.heat = yield Ask(Query("cue_heatmap", patch, node.cue.phrase))


def likely_next(frontier: list[SearchNode], node: SearchNode | None) -> list[Box]:
    """The regions most likely to be visited next, likeliest first.

    From the top of the heap, and the children of `node`, which is being visited: their scores
    are not known yet, but their mean is, since a region's share is the sum of its children's.
    """
    ranked = [(other.score, other.box) for other in _top(frontier, MAX_UPCOMING)]
    if node is not None:
        mean = (node.score + 4.0**-node.depth) / 4
        ranked += [(mean, box) for box in split(node.box)]
    ranked.sort(key=lambda item: -item[0])
    return [box for _, box in ranked[:MAX_UPCOMING]]


def _top(heap: list[SearchNode], count: int) -> list[SearchNode]:
    """The best `count` of a heap without touching it, in O(count log count)."""
    top: list[SearchNode] = []
    candidates = [(-heap[0].score, 0)] if heap else []
    while candidates and len(top) < count:
        _, i = heapq.heappop(candidates)
        top.append(heap[i])
        for j in (2 * i + 1, 2 * i + 2):
            if j < len(heap):
                heapq.heappush(candidates, (-heap[j].score, j))
    return top
