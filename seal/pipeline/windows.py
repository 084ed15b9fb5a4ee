"""Many pictures, of which only those of a window are open at a time."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace

from PIL.Image import Image

from seal.pipeline.answer import Answer
from seal.pipeline.pictures import OpenPictures, Picture, check_picture
from seal.pipeline.question import Question
from seal.search.result import SearchResult

QUESTIONS_PIXELS = 250_000_000  # of all that are open while questions are answered: 1 GB


def question_windows(questions: Sequence[Question]) -> list[range]:
    """Places of questions that are answered together, so that no more pictures are open at a time.

    Raises:
        ValueError: what is given as a picture is none, as far as `check_picture` tells.
    """
    pixels = [0 if each.image is None else check_picture(each.image) for each in questions]
    return list(windows(pixels, QUESTIONS_PIXELS))


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
