"""A locator whose targets of one image share one walk over its regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PIL.Image import Image

from seal.search.driver import SearchLocator
from seal.search.locator import LocateRequest
from seal.search.lockstep import drive
from seal.search.result import SearchResult
from seal.search.run import Run
from seal.search.shared_tree import SharedResult, SharedTree, require_guided
from seal.search.told import TellEnd, TellVisit
from seal.search.tree import SearchNode


class SharedTreeLocator:
    """A `Locator`; images are told apart by identity: pass the same object for each target."""

    tells_visits = True

    def __init__(self, locator: SearchLocator) -> None:
        """`locator`: what would search for each target alone.

        Raises:
            ValueError: it does not run a guided search.
        """
        guided = require_guided(locator.strategy)
        self.locator = locator
        self.tree = SharedTree(guided)

    def locate(
        self,
        requests: Sequence[LocateRequest],
        *,
        on_visit: TellVisit | None = None,
        on_end: TellEnd | None = None,
    ) -> list[SearchResult]:
        """Search each image for all its targets, all images side by side.

        A target's `calls` are its own, its `seconds` its part of the walk's, by its calls. All
        targets of a walk that fails say so in their results (`error`), and the other walks go on.
        `on_visit` and `on_end`: see `locate_told`; what one raises ends the walk.
        """
        groups: dict[int, list[int]] = {}
        for number, request in enumerate(requests):
            groups.setdefault(id(request.image), []).append(number)
        walks = list(groups.values())

        def begun(key: int, walk: list[int]) -> Run:
            told: TellVisit | None = None
            if on_visit is not None:
                tell = on_visit

                def told(place: int, node: SearchNode) -> None:
                    tell(walk[place], node)

            return self._begin([requests[i] for i in walk], key, told)

        runs = (begun(key, walk) for key, walk in enumerate(walks))
        results: dict[int, SearchResult] = {}
        for run in drive(runs, self.locator.model, self.locator.speed):
            assert isinstance(run.key, int) and run.result is not None
            walk = walks[run.key]
            parts = _parts(run.result, [requests[i].target for i in walk])
            for number, part in zip(walk, parts, strict=True):
                results[number] = part
                for end in (self.locator.progress, on_end):
                    if end is not None:
                        end(number, part)
        return [results[number] for number in range(len(requests))]

    def forget(self, image: Image) -> None:
        """Drop what the model knows about an image, if it keeps anything."""
        self.locator.forget(image)

    def _begin(
        self, requests: Sequence[LocateRequest], key: int, on_visit: TellVisit | None
    ) -> Run:
        image, targets = requests[0].image, [request.target for request in requests]
        return Run(
            self.tree.explore_all(image, targets, on_visit),
            key,
            target=", ".join(targets),
            strategy=self.tree.guided.name,
            image_size=image.size,
        )


def _parts(whole: SearchResult, targets: Sequence[str]) -> list[SearchResult]:
    """What a walk came to for each target."""
    if not isinstance(whole, SharedResult):  # it failed, and found nothing
        return [replace(whole, target=target) for target in targets]
    calls = max(1, sum(result.num_calls for result in whole.each))
    for result in whole.each:
        share = result.num_calls / calls
        result.seconds = {kind: share * value for kind, value in whole.seconds.items()}
        result.guide = dict(whole.guide)
    return whole.each
