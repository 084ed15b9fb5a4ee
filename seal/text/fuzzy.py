"""Where a text stands in a line that was read with errors."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Match:
    score: float  # in [0, 1]; 1: letter by letter
    start: int  # of the line, in characters
    end: int


def find_fuzzy(text: str, line: str) -> Match:
    """The part of `line` that is most like `text`: 1 minus edits per letter of the text.

    Letters and digits alone count, without case, accents and spaces: readers drop spaces. A part
    of a longer word is as if one letter were wrong ("at" in "water"): the shorter, the likelier by
    chance. Edits are of Levenshtein's distance, to any substring (Sellers 1980).
    """
    wanted = [letter for letter, _ in _letters(text)]
    letters = _letters(line)
    if not wanted or not letters:
        return Match(0.0, 0, 0)
    # Column by column of the line: (edits, where the part began) for each beginning of `wanted`.
    column = [(i, 0) for i in range(len(wanted) + 1)]
    best = (len(wanted), 0, 0)
    for j, (letter, _) in enumerate(letters, start=1):
        before, column = column, [(0, j)]
        for i, own in enumerate(wanted, start=1):
            column.append(
                min(
                    (before[i - 1][0] + (own != letter), before[i - 1][1]),
                    (before[i][0] + 1, before[i][1]),
                    (column[i - 1][0] + 1, column[i - 1][1]),
                )
            )
        edits, began = column[-1]
        best = min(best, (edits + _within_word(letters, line, began, j), began, j))
    edits, began, ended = best
    if ended <= began:
        return Match(0.0, 0, 0)
    score = max(0.0, 1 - edits / len(wanted))
    return Match(score, letters[began][1], letters[ended - 1][1] + 1)


def _within_word(letters: list[tuple[str, int]], line: str, began: int, ended: int) -> int:
    """1 if the part begins or ends inside a word."""
    if ended <= began:
        return 1
    first, last = letters[began][1], letters[ended - 1][1]
    inside = first > 0 and line[first - 1].isalnum()
    return int(inside or (last + 1 < len(line) and line[last + 1].isalnum()))


def _letters(text: str) -> list[tuple[str, int]]:
    """Plain letters and digits, each with its place in the text."""
    return [
        (plain, place)
        for place, letter in enumerate(text)
        for plain in unicodedata.normalize("NFKD", letter).casefold()
        if plain.isalnum()
    ]
