"""Marks of the models' own formats, which no sentence of a record may hold."""

from __future__ import annotations

from seal.text.conversation import VQA
from seal.text.tokens import IMAGE_END_TOKEN, IMAGE_START_TOKEN, LOC_TOKEN, OBJECT_PLACEHOLDER

# They would void or end what is learnt from a conversation; training stops at the first two.
_MARKS = (
    VQA.stop,
    f"{VQA.assistant} ",
    OBJECT_PLACEHOLDER,
    LOC_TOKEN,
    IMAGE_START_TOKEN,
    IMAGE_END_TOKEN,
)


def mark_in(text: str) -> str | None:
    """The first mark that stands in a text; None: there is none."""
    return next((mark.strip() for mark in _MARKS if mark in text), None)
