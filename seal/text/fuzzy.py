"""Where a text stands in a line that was read with errors."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
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
    best = (len(wanted), 0, 0)
    # A part is dearer if it begins inside a word, so the two kinds of beginning are kept apart.
    for inside in (False, True):
        starts = [j for j in range(len(letters)) if _goes_on(letters, line, j) == inside]
        for edits, began, ended in _nearest(wanted, letters, starts):
            dearer = inside or (ended < len(letters) and _goes_on(letters, line, ended))
            best = min(best, (edits + dearer, began, ended))
    edits, began, ended = best
    if ended <= began:
        return Match(0.0, 0, 0)
    score = max(0.0, 1 - edits / len(wanted))
    return Match(score, letters[began][1], letters[ended - 1][1] + 1)


def _nearest(
    wanted: list[str], letters: list[tuple[str, int]], starts: list[int]
) -> Iterator[tuple[int, int, int]]:
    """For each end in the line: edits to the nearest part from one of `starts`, its begin and end.

    Of equally near parts the shortest.
    """
    far = len(wanted) + len(letters)
    allowed = set(starts)
    # Of each beginning of `wanted`: (edits, minus where the part began).
    column = [(i if 0 in allowed else far, 0) for i in range(len(wanted) + 1)]
    for j, (letter, _) in enumerate(letters, start=1):
        before, column = column, [(0 if j in allowed else far, -j)]
        for i, own in enumerate(wanted, start=1):
            column.append(
                min(
                    (before[i - 1][0] + (own != letter), before[i - 1][1]),
                    (before[i][0] + 1, before[i][1]),
                    (column[i - 1][0] + 1, column[i - 1][1]),
                )
            )
        edits, began = column[-1]
        yield edits, -began, j


def _goes_on(letters: list[tuple[str, int]], line: str, place: int) -> bool:
    """Whether the letter before this one belongs to the same word."""
    start = letters[place][1]
    return start > 0 and line[start - 1].isalnum()


def _letters(text: str) -> list[tuple[str, int]]:
    """Plain letters and digits, each with its place in the text."""
    return [
        (plain, place)
        for place, letter in enumerate(text)
        for plain in unicodedata.normalize("NFKD", letter).casefold()
        if plain.isalnum()
    ]
