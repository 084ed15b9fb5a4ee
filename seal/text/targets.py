"""Which words can be searched for: a target names a thing, in a phrase."""

from __future__ import annotations

import re

from seal.text.quote import quoted
from seal.text.tokens import (
    IMAGE_END_TOKEN,
    IMAGE_PLACEHOLDER,
    IMAGE_START_TOKEN,
    LOC_TOKEN,
    OBJECT_PLACEHOLDER,
)

# Far more than the longest description of one thing (RefCOCOg: 250); a model's context is not.
LONGEST_TARGET = 500  # bytes of UTF-8: one token each at the very most
CONTROL_MARKS = (
    IMAGE_PLACEHOLDER,
    OBJECT_PLACEHOLDER,
    IMAGE_START_TOKEN,
    IMAGE_END_TOKEN,
    "<s>",
    "</s>",
)
_ARTICLES = {"a", "an", "the"}
_WORD = re.compile(r"[^\W_]+")


def control_mark(text: str, marks: tuple[str, ...] = CONTROL_MARKS) -> str | None:
    """The first mark in `text` that stands for a picture or an end, not for letters."""
    return next((mark for mark in marks if mark in text), None)


def why_not_a_target(target: str) -> str | None:
    """What keeps `target` from being searched for, with the way out; None if nothing does."""
    if not target.strip():
        return "the target is empty: say what to look for"
    size = len(target.encode("utf-8", errors="replace"))
    if size > LONGEST_TARGET:
        return (
            f"the target {quoted(target)} is too long to be the name of a thing: {size:,} bytes of "
            f"text, at most {LONGEST_TARGET} are searched for; say it in a few words"
        )
    mark = control_mark(target, (*CONTROL_MARKS, LOC_TOKEN))
    if mark is not None:
        return (
            f"the target {quoted(target)} contains {mark}, which the models read as a mark and not "
            "as letters; leave it out"
        )
    if not {word.lower() for word in _WORD.findall(target)} - _ARTICLES:
        return f'the target {quoted(target)} names no thing; say what to look for, as in "the boat"'
    return None


def check_target(target: object) -> None:
    """Refuse what cannot be searched for, before anything is.

    Raises:
        ValueError: no text, empty, too long, a control mark, or no word but articles.
    """
    if not isinstance(target, str):
        raise ValueError(
            f"a target is text, not {type(target).__name__} ({quoted(target)}): say what to look "
            'for, as in "the boat"'
        )
    why = why_not_a_target(target)
    if why is not None:
        raise ValueError(why)
