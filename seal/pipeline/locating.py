"""Targets in images for a locator: requests are taken, and images opened, when their turn comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from PIL.Image import Image

from seal.pipeline.pictures import OpenPictures, Picture, check_picture
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
) -> Iterator[tuple[int, SearchResult]]:
    """The number of each request, from 0, and its result, as searches end.

    forget: what is told of each image that no search needs any more; None: images are remembered.
    """
    opened = _opened(requests)
    stream = getattr(locator, "locate_stream", None)
    if stream is not None:
        yield from stream(opened, forget=forget)
        return
    number = 0
    for window in _windows(opened):
        try:
            results = locator.locate(window)
        finally:
            for image in {id(request.image): request.image for request in window}.values():
                if forget is not None:
                    forget(image)
        for result in results:
            yield number, result
            number += 1


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


def _opened(requests: Iterable[tuple[Picture, str]]) -> Iterator[LocateRequest]:
    pictures = OpenPictures()
    for request in requests:
        image, target = _pair(request)
        yield LocateRequest(pictures.open(image), target)
