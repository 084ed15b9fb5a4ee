"""Several targets of one image on one walk: each region is looked at once, for all still missing.

The region that is visited next has the highest sum of the missing targets' scores: what any of them
points at is worth the visit that all of them share. It is another order than each target's own, so
a search may end in another region; the rules for each target are the same.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from PIL.Image import Image

from seal.search.budget import BudgetConfig, BudgetSpentError, Spending
from seal.search.guided import GuidedSearch
from seal.search.locator import Search, Strategy
from seal.search.protocol import AskAll, QueryKind
from seal.search.result import SearchResult
from seal.search.side_by_side import side_by_side
from seal.search.told import TellVisit
from seal.search.tree import SearchNode, expand
from seal.search.visits import Visits


@dataclass(slots=True, kw_only=True)
class SharedResult(SearchResult):
    """What a walk found: `found` if it is every target; the boxes are those of `each`."""

    each: list[SearchResult] = field(default_factory=list)  # one per target


@dataclass(slots=True, eq=False)
class _Region:
    """A region that waits for its visit, as each target's own search sees it."""

    nodes: dict[int, SearchNode]
    score: float = 0.0

    def __lt__(self, other: _Region) -> bool:
        return self.score > other.score  # by score alone, as of `SearchNode`

    def rank(self, missing: set[int]) -> None:
        self.score = sum(node.score for i, node in self.nodes.items() if i in missing)


def require_guided(strategy: Strategy) -> GuidedSearch:
    """The strategy, if targets can share its walk.

    Raises:
        ValueError: they cannot.
    """
    if not isinstance(strategy, GuidedSearch):
        name = getattr(strategy, "name", type(strategy).__name__)
        raise ValueError(
            f"search={name}: targets share a walk of guided, no_target_cue or no_contextual_cue "
            "alone; choose one of these, or search for each by itself"
        )
    return strategy


class SharedTree:
    """One walk by the rules of a guided search. Its budget is of the walk: nodes are regions, calls
    those of all targets.
    """

    def __init__(self, guided: GuidedSearch) -> None:
        self.guided = guided
        self.needs: frozenset[QueryKind] = guided.needs

    def explore_all(
        self, image: Image, targets: Sequence[str], on_visit: TellVisit | None = None
    ) -> Search:
        """Search `image` for all targets; returns a `SharedResult`.

        `on_visit`: is told the place of a target and the region that was left with it.
        """
        config = self.guided.config
        # Of the walk as a whole; no target spends it alone.
        each = replace(config, budget=BudgetConfig())
        walk = _Walk(self.guided, [Visits(image, t, each, self.guided.name) for t in targets])
        walk.on_visit = on_visit
        spending = Spending(config.budget)
        with suppress(BudgetSpentError):  # each missing target ends with what was seen for it
            yield from spending.run(walk.steps(spending))
        results = walk.results()
        for i in walk.missing:
            results[i].stopped_early = spending.spent
        for result in results:
            result.config = {**config.numbers(), "shared_tree": list(targets)}
        return SharedResult(
            target=", ".join(targets),
            strategy=self.guided.name,
            found=all(result.found for result in results),
            boxes=[],
            scores=[],
            num_steps=walk.num_regions,
            stopped_early=spending.spent,
            path=walk.path,
            image_size=image.size,
            config=config.numbers(),
            each=results,
        )


class _Walk:
    """The state of one walk."""

    def __init__(self, guided: GuidedSearch, visits: list[Visits]) -> None:
        self.guided, self.visits = guided, visits
        self.asked: list[Counter[QueryKind]] = [Counter() for _ in visits]
        self.found: dict[int, SearchResult] = {}
        self.missing = set(range(len(visits)))
        self.path: list[SearchNode] = []  # every visit, of all targets
        self.num_regions = 0
        self.on_visit: TellVisit | None = None

    def steps(self, spending: Spending) -> Generator[AskAll, Any, None]:
        frontier = [_Region({i: each.root() for i, each in enumerate(self.visits)})]
        while frontier and self.missing:
            region = heapq.heappop(frontier)
            here = {i: node for i, node in region.nodes.items() if i in self.missing}
            if frontier and region.score > 0:
                for i in here:
                    visits = self.visits[i]
                    visits.ties.compare(
                        "next_region", len(visits.path), region.score, frontier[0].score
                    )
            spending.require_node(self.num_regions)
            heats = yield from self._look(here)
            if len(here) > len(heats):  # something was found: the others' order is their own
                for other in frontier:
                    other.rank(self.missing)
                heapq.heapify(frontier)
            here = {i: node for i, node in here.items() if i in heats}
            if not here or self._is_leaf(here):
                self._tell(here)
                continue
            yield from side_by_side(
                [self.guided.choose_heat(self.visits[i], here[i], heats[i]) for i in here],
                [self.asked[i] for i in here],
            )
            below = [expand(node) for node in here.values()]  # the same regions for each target
            self._tell(here)
            for nodes in zip(*below, strict=True):
                child = _Region(dict(zip(here, nodes, strict=True)))
                child.rank(self.missing)
                heapq.heappush(frontier, child)

    def results(self) -> list[SearchResult]:
        """Of each target; one that is missing has been looked for in all that was visited."""
        results = [self.found.get(i) or each.exhausted() for i, each in enumerate(self.visits)]
        for result, asked in zip(results, self.asked, strict=True):
            result.calls = {kind: count for kind, count in asked.items()}
        return results

    def _look(self, here: dict[int, SearchNode]) -> Generator[AskAll, Any, dict[int, Any]]:
        """Look for what is missing: the heats, if detections carry them, of what still is."""
        seen = yield from side_by_side(
            [self.visits[i].look(node) for i, node in here.items()],
            [self.asked[i] for i in here],
        )
        self.num_regions += 1
        self.path += here.values()
        heats = {}
        for i, (result, heat) in zip(here, seen, strict=True):
            if result is None:
                heats[i] = heat
            else:
                self.found[i] = result
                self.missing.remove(i)
                self._tell({i: here[i]})
        return heats

    def _tell(self, left: dict[int, SearchNode]) -> None:
        for i, node in left.items():
            if self.on_visit is not None:
                self.on_visit(i, node)

    def _is_leaf(self, here: dict[int, SearchNode]) -> bool:
        i, node = next(iter(here.items()))
        return self.visits[i].is_leaf(node)
