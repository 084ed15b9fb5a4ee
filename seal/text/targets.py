"""Which words can be searched for: a target names a thing, in a phrase."""

from __future__ import annotations

import re
import unicodedata

from seal.text.quote import quoted
from seal.text.tokens import (
    IMAGE_PLACEHOLDER,
    LOC_TOKEN,
    OBJECT_PLACEHOLDER,
    SEARCH_TOKENS,
)

# Far more than the longest description of one thing (RefCOCOg: 250); a model's context is not.
LONGEST_TARGET = 500  # bytes of UTF-8: one token each at the very most
CONTROL_MARKS = (
    IMAGE_PLACEHOLDER,
    OBJECT_PLACEHOLDER,
    *(token for token in SEARCH_TOKENS if token != LOC_TOKEN),  # `[LOC]` a question may contain
    "<s>",
    "</s>",
    "<unk>",
)
_ARTICLES = {"a", "an", "the"}
_WORD = re.compile(r"[^\W_]+")


def control_mark(text: str, marks: tuple[str, ...] = CONTROL_MARKS) -> str | None:
    """The first mark in `text` that stands for a picture or an end, not for letters."""
    return next((mark for mark in marks if mark in text), None)


def strange_character(text: str) -> str | None:
    """The first character that is no text: half a surrogate pair, or one that steers a terminal.

    Tabs and line ends are spaces to whoever reads a phrase.
    """
    for character in text:
        kind = unicodedata.category(character)
        if kind == "Cs" or (kind == "Cc" and not character.isspace()):
            return f"U+{ord(character):04X}"
    return None


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
    strange = strange_character(target)
    if strange is not None:
        return (
            f"the target {ascii(target) if len(target) < 80 else 'given'} contains the character "
            f"{strange}, which is no text; leave it out"
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
