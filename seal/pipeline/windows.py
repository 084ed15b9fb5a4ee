"""Many pictures, of which only those of a window are open at a time."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from PIL.Image import Image

from seal.pipeline.answer import Answer
from seal.pipeline.pictures import OpenPictures, Picture
from seal.pipeline.question import Question
from seal.search.locator import LocateRequest, Locator
from seal.search.result import SearchResult

# Four bytes each. Questions are answered stage by stage, all those of a window together; searches
# end one by one, and no more of them are open than advance side by side.
QUESTIONS_PIXELS = 250_000_000
SEARCHES_PIXELS = 1_000_000_000


def windows(pixels: Sequence[int], most: int) -> Iterator[range]:
    """Consecutive places that hold at most so many pixels together; one that holds more is alone.

    pixels: of each picture, once it is open.
    """
    start, held = 0, 0
    for place, count in enumerate(pixels):
        if place > start and held + count > most:
            yield range(start, place)
            start, held = place, 0
        held += count
    if start < len(pixels):
        yield range(start, len(pixels))


def unreadable(target: str, error: ValueError) -> SearchResult:
    """Of a picture that turned out to be damaged when it was opened."""
    told = "".join(traceback.format_exception(error)).rstrip()
    traceback.clear_frames(error.__traceback__)
    return SearchResult(
        target=target, strategy="", found=False, boxes=[], scores=[],
        error=f"{type(error).__name__}: {error}\n{told}", failure=error,
    )  # fmt: skip


def open_all(
    given: Sequence[Picture | None],
) -> tuple[list[Image | None], dict[int, SearchResult]]:
    """The pictures, one of a path once; None where there is none, and by place what is damaged."""
    pictures, damaged = OpenPictures(), {}
    images: list[Image | None] = [None] * len(given)
    for place, image in enumerate(given):
        if image is not None:
            try:
                images[place] = pictures.open(image)
            except ValueError as error:
                damaged[place] = unreadable("", error)
    return images, damaged


def without_opened(question: Question, answer: Answer) -> Answer:
    """The answer without its picture, unless it is the one that was given."""
    if answer.memory is not None and answer.memory.image is not question.image:
        answer.memory = replace(answer.memory, image=None)
    return answer


def located(
    locator: Locator,
    requests: Sequence[tuple[Picture, str]],
    pixels: Sequence[int],
    forget: Callable[[Iterable[Image]], None],
) -> Iterator[tuple[int, SearchResult]]:
    """The place of each request and its result, as searches end, each picture opened in its turn.

    A picture that cannot be opened is an error of its requests.

    Args:
        pixels: of each request's picture, once it is open.
        forget: is told of pictures that no search under way needs.
    """
    stream = getattr(locator, "locate_stream", None)
    for window in windows(pixels, QUESTIONS_PIXELS if stream is None else SEARCHES_PIXELS):
        under_way = _UnderWay([requests[place] for place in window])
        results = stream or (lambda taken: enumerate(locator.locate(list(taken))))
        try:
            for number, result in results(under_way.requests()):
                place = under_way.end(number, forget)
                yield window[place], result
            for place, result in under_way.damaged:
                yield window[place], result
        finally:
            forget(under_way.images.values())


class _UnderWay:
    """Requests of one window whose pictures are open."""

    def __init__(self, requests: Sequence[tuple[Picture, str]]) -> None:
        self._requests = requests
        self._pictures = OpenPictures()
        self._places: list[int] = []  # of those that could be opened
        self.images: dict[int, Image] = {}  # by place
        self.damaged: list[tuple[int, SearchResult]] = []

    def requests(self) -> Iterator[LocateRequest]:
        for place, (image, target) in enumerate(self._requests):
            try:
                self.images[place] = self._pictures.open(image)
            except ValueError as error:
                self.damaged.append((place, unreadable(target, error)))
            else:
                self._places.append(place)
                yield LocateRequest(self.images[place], target)

    def end(self, number: int, forget: Callable[[Iterable[Image]], None]) -> int:
        """The place of the request that came as `number`; its image goes unless others need it."""
        place = self._places[number]
        image = self.images.pop(place)
        if all(other is not image for other in self.images.values()):
            forget([image])
        return place
