"""Targets in images for a locator: requests are taken, and images opened, when their turn comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from PIL.Image import Image

from seal.pipeline.pictures import OpenPictures, Picture, check_picture
from seal.pipeline.windows import unreadable
from seal.search.locator import LocateRequest, Locator
from seal.search.result import SearchResult
from seal.text.quote import quoted
from seal.text.targets import check_target

WINDOW = 16  # requests at a time for a locator that does not take them one by one


def locate_as_they_end(
    locator: Locator,
    requests: Iterable[tuple[Picture, str]],
    *,
    forget: Callable[[Image], None] | None,
    notes_on: Callable[[Image], list[str]],
) -> Iterator[tuple[int, SearchResult]]:
    """The number of each request, from 0, and its result, as searches end.

    forget: what is told of each image that no search needs any more; None: images are remembered.
    notes_on: what should be known of a search of an image.
    """
    opened = _Opened(requests, notes_on)
    for place, result in _searched(locator, opened, forget):
        yield from opened.take_damaged()
        result.notes = opened.notes.pop(place)
        yield opened.numbers.pop(place), result
    yield from opened.take_damaged()


def _searched(
    locator: Locator,
    requests: Iterable[LocateRequest],
    forget: Callable[[Image], None] | None,
) -> Iterator[tuple[int, SearchResult]]:
    stream = getattr(locator, "locate_stream", None)
    if stream is not None:
        yield from stream(requests, forget=forget)
        return
    place = 0
    for window in _windows(requests):
        try:
            results = locator.locate(window)
        finally:
            for image in {id(request.image): request.image for request in window}.values():
                if forget is not None:
                    forget(image)
            window.clear()  # not beside the next
        for result in results:
            yield place, result
            place += 1


def check_pair(request: Any) -> None:
    """Refuse what is no image and target, as far as that is told before the image is opened.

    Raises:
        ValueError: see above.
    """
    image, _ = _pair(request)
    check_picture(image)


def _windows(requests: Iterable[LocateRequest]) -> Iterator[list[LocateRequest]]:
    """`WINDOW` at a time; those in a row for one image, which may share a walk, stay together."""
    window: list[LocateRequest] = []
    for request in requests:
        if len(window) >= WINDOW and request.image is not window[-1].image:
            yield window
            window = []
        window.append(request)
    if window:
        yield window


def _pair(request: Any) -> tuple[Any, str]:
    if not isinstance(request, tuple | list) or len(request) != 2:
        raise ValueError(f"searches take pairs (image, target), not {quoted(request)}")
    check_target(request[1])
    return request[0], request[1]


class _Opened:
    """Requests with their images, opened as they are asked for; damaged ones are set aside."""

    def __init__(
        self,
        requests: Iterable[tuple[Picture, str]],
        notes_on: Callable[[Image], list[str]],
    ) -> None:
        self._requests, self._notes_on = requests, notes_on
        self.notes: dict[int, list[str]] = {}  # by place, as below
        self.numbers: dict[int, int] = {}  # place among those with an image -> number of all
        self._damaged: list[tuple[int, SearchResult]] = []

    def __iter__(self) -> Iterator[LocateRequest]:
        pictures, place = OpenPictures(), 0
        for number, request in enumerate(self._requests):
            given, target = _pair(request)
            try:
                image = pictures.open(given)
            except ValueError as error:
                self._damaged.append((number, unreadable(target, error)))
                continue
            self.numbers[place] = number
            self.notes[place] = self._notes_on(image)
            place += 1
            yield LocateRequest(image, target)

    def take_damaged(self) -> Iterator[tuple[int, SearchResult]]:
        """Those set aside since the last time."""
        damaged, self._damaged = self._damaged, []
        yield from damaged
