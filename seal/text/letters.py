"""Options as a lettered list behind a question."""

from __future__ import annotations

from collections.abc import Sequence

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LETTER_REQUEST = "Answer with the letter of one of these options."


def letter_question(text: str, options: Sequence[str], order: Sequence[int]) -> str:
    """The question with its options as a lettered list, `order` saying which stands where."""
    if len(options) > len(LETTERS):
        raise ValueError(f"{len(options)} options are more than there are letters")
    lines = [f"({LETTERS[place]}) {options[i]}" for place, i in enumerate(order)]
    return "\n".join([text, *lines, LETTER_REQUEST])
