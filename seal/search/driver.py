"""Drive searches: put their queries to a model, many searches at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from PIL.Image import Image

from seal.geometry import Box
from seal.search.held_images import HeldImages
from seal.search.locator import LocateRequest, Search, Strategy
from seal.search.lockstep import drive
from seal.search.protocol import Patch, SearchModel
from seal.search.queue import OnVisit, SearchQueue
from seal.search.result import SearchResult
from seal.search.run import Run, begin
from seal.search.speed import SpeedConfig
from seal.search.told import TellEnd, TellVisit

Progress = Callable[[int, SearchResult], None]  # index of the search, its result
MOST_OPEN_PIXELS = 500_000_000  # of the images of a stream: 2 GB, and one image more


def run_searches(
    searches: Iterable[Search],
    model: SearchModel,
    *,
    lookahead: int = 0,
    concurrency: int | None = None,
    max_batch: int | None = None,
    progress: Progress | None = None,
) -> list[SearchResult]:
    """Advance searches in lockstep. Each visits what it would visit alone.

    Args:
        searches: what `Strategy.explore` returned; started when their turn comes.
        model: answers the queries; equal kinds go to it in one batch. What it raises for one query
            ends the search that asked, and no other; see `SearchResult.error`.
        lookahead: detections to evaluate ahead, per search and batch. Costs work that may be
            wasted, saves rounds; the visits stay the same.
        concurrency: searches advanced at a time, which bounds memory; None: what suits the model.
        max_batch: most queries given to the model at once.
        progress: called with the index and result of each search as it ends.

    Raises:
        Exception: what the model raised, if no search came through.
    """
    speed = SpeedConfig(lookahead=lookahead, concurrency=concurrency, max_batch=max_batch)
    runs = (Run(search, index) for index, search in enumerate(searches))
    results = _collected(drive(runs, model, speed), progress)
    failure = next((result.failure for result in results if result.failure is not None), None)
    if failure is not None and all(result.error is not None for result in results):
        raise failure
    return results


def _collected(ended: Iterable[Run], progress: Progress | None = None) -> list[SearchResult]:
    """The results of searches in the order of their keys, which are their numbers."""
    results: dict[int, SearchResult] = {}
    for run in ended:
        assert isinstance(run.key, int) and run.result is not None
        results[run.key] = run.result
        if progress is not None:
            progress(run.key, run.result)
    return [results[key] for key in sorted(results)]


class SearchLocator:
    """A strategy and a model, together a `Locator`."""

    tells_visits = True

    def __init__(
        self,
        strategy: Strategy,
        model: SearchModel,
        *,
        speed: SpeedConfig | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.strategy, self.model = strategy, model
        self.speed, self.progress = speed or SpeedConfig(), progress

    def locate(
        self,
        requests: Sequence[LocateRequest],
        *,
        on_visit: TellVisit | None = None,
        on_end: TellEnd | None = None,
    ) -> list[SearchResult]:
        """Search each image for its target, all of them side by side.

        A search that fails says so in its result (`error`), and the others go on. `on_visit` and
        `on_end`: see `locate_told`.
        """

        def begun() -> Iterator[Run]:
            for i, request in enumerate(requests):
                run = begin(self.strategy, request, i)
                run.on_visit = None if on_visit is None else partial(on_visit, i)
                yield run

        def progress(i: int, result: SearchResult) -> None:
            for told in (self.progress, on_end):
                if told is not None:
                    told(i, result)

        return _collected(drive(begun(), self.model, self.speed), progress)

    def locate_stream(
        self,
        requests: Iterable[LocateRequest],
        *,
        forget: Callable[[Image], None] | None = None,
    ) -> Iterator[tuple[int, SearchResult]]:
        """The number of each request and its result, as searches end; one that fails says so.

        A request is taken when a place is free and what is open leaves room (`MOST_OPEN_PIXELS`),
        and where there is much, one more, so that its picture can be prepared.

        Args:
            requests: any number of them, with images that are opened as they are taken.
        forget: is told of an image when the last search for it among those taken has ended, as is
            `SearchLocator.forget`; None: images are remembered.
        """
        held = _Held(requests)
        runs = (begin(self.strategy, request, number) for number, request in held)
        try:
            for run in drive(runs, self.model, self.speed, soon=held.soon, room=held.room):
                assert isinstance(run.key, int) and run.result is not None
                for image in held.release(run.key):
                    if forget is not None:
                        forget(image)
                if self.progress is not None:
                    self.progress(run.key, run.result)
                yield run.key, run.result
        finally:
            for image in held.release(*list(held.open)):
                if forget is not None:
                    forget(image)

    def queue(self, *, max_waiting: int = 1024, on_visit: OnVisit | None = None) -> SearchQueue:
        """A queue that searches in the same way, for requests that come at any time."""
        return SearchQueue(
            self.strategy, self.model, speed=self.speed, max_waiting=max_waiting, on_visit=on_visit
        )

    def forget(self, image: Image) -> None:
        """Drop what the model knows about an image, if it keeps anything."""
        forget = getattr(self.model, "forget", None)
        if forget is not None:
            forget(image)


class _Held:
    """Requests that were taken and have not ended, and the one that is taken next."""

    def __init__(self, requests: Iterable[LocateRequest]) -> None:
        self._requests = enumerate(requests)
        self._next: tuple[int, LocateRequest] | None = None
        self.open: dict[int, Image] = {}  # by the request's number
        self._images = HeldImages()

    def __iter__(self) -> Iterator[tuple[int, LocateRequest]]:
        while (taken := self._next or self._pull()) is not None:
            self._next = None
            if self._images.num_pixels <= MOST_OPEN_PIXELS // 2:
                self._next = self._pull()
            yield taken

    def room(self) -> bool:
        """Whether one more may be open beside those that are."""
        begun = len(self.open) - (self._next is not None)
        return not begun or self._images.num_pixels <= MOST_OPEN_PIXELS

    def soon(self) -> list[Patch]:
        """What the request after those taken begins with."""
        if self._next is None:
            return []
        image = self._next[1].image
        return [Patch(image, Box(0, 0, *image.size))]

    def release(self, *numbers: int) -> list[Image]:
        """End these requests; the images that no other one needs."""
        images = [self.open.pop(number) for number in numbers]
        return [image for image in images if self._images.release(image)]

    def _pull(self) -> tuple[int, LocateRequest] | None:
        pulled = next(self._requests, None)
        if pulled is not None:
            number, request = pulled
            self.open[number] = request.image
            self._images.hold(request.image)
        return pulled
