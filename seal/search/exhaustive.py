"""Searches that nothing guides: the paper's baselines, and the detector on the whole image."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Literal

import numpy as np
from PIL.Image import Image, Resampling

from seal.search.config import SearchConfig
from seal.search.locator import Search
from seal.search.protocol import QueryKind
from seal.search.tree import SearchNode, split
from seal.search.visits import MAX_UPCOMING, Visits


class ExhaustiveSearch:
    """Breadth-first or depth-first over the whole tree, stopping as the guided search does.

    Siblings are visited in reverse raster order, or shuffled. A shuffle depends on the seed, the
    image and the target alone, so neither batching nor the order of questions changes it.
    """

    needs: frozenset[QueryKind] = frozenset({"detect"})

    def __init__(
        self,
        config: SearchConfig | None = None,
        *,
        order: Literal["bfs", "dfs"] = "bfs",
        shuffle: bool = False,
    ) -> None:
        self.config = config or SearchConfig()
        self.order, self.shuffle = order, shuffle
        self.name = f"{'random' if shuffle else 'sequential'}_{order}"

    def explore(
        self, image: Image, target: str, question: str = "", num_targets: int = 1
    ) -> Search:
        """Search `image` for `target` by detection alone."""
        visits = Visits(image, target, self.config, self.name)
        return visits.within_budget(self._explore(visits))

    def _explore(self, visits: Visits) -> Search:
        rng = _rng(self.config.seed, visits.image, visits.target) if self.shuffle else None
        frontier = deque([visits.root()])  # visited from the left
        while frontier:
            node = frontier.popleft()
            # No answer changes the order, so the children take their places before the visit.
            children = [] if visits.is_leaf(node) else _children(node, rng)
            if self.order == "bfs":
                frontier.extend(children)
            else:
                frontier.extendleft(reversed(children))
            ahead = min(len(frontier), MAX_UPCOMING)
            result, _ = yield from visits.look(node, [frontier[i].box for i in range(ahead)])
            if result is not None:
                return result
        return visits.exhausted()


class WholeImageDetector:
    """One detection on the whole image: what an open-vocabulary detector alone would find."""

    name = "whole_image_detector"
    needs: frozenset[QueryKind] = frozenset({"detect"})

    def __init__(self, config: SearchConfig | None = None) -> None:
        self.config = config or SearchConfig()

    def explore(
        self, image: Image, target: str, question: str = "", num_targets: int = 1
    ) -> Search:
        visits = Visits(image, target, self.config, self.name)
        return visits.within_budget(self._explore(visits))

    def _explore(self, visits: Visits) -> Search:
        result, _ = yield from visits.look(visits.root())
        return result or visits.exhausted()


def _children(node: SearchNode, rng: np.random.Generator | None) -> list[SearchNode]:
    """The children in the order of their visits."""
    children = [SearchNode(box, node.depth + 1, parent=node) for box in split(node.box)]
    children.reverse()
    if rng is not None:
        children = [children[i] for i in rng.permutation(len(children))]
    return children


def _rng(seed: int, image: Image, target: str) -> np.random.Generator:
    """A generator that depends on what is searched, not on when or beside what."""
    digest = hashlib.sha256(f"{seed}\0{image.size}\0{target}\0".encode())
    # A few pixels tell images of one size apart without reading all of a large one.
    digest.update(image.resize((16, 16), Resampling.NEAREST).tobytes())
    return np.random.default_rng(int.from_bytes(digest.digest()[:16], "little"))
