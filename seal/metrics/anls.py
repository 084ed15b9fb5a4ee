"""ANLS: how near an answer read off a document comes to what is written there."""

from __future__ import annotations

from collections.abc import Sequence

THRESHOLD = 0.5  # a distance from here on, as a share of the longer text, earns nothing


def anls(answer: str, labels: Sequence[str]) -> float:
    """In [0, 1]: 1 minus the normalized edit distance to the nearest label (Biten et al., 2019).

    Case and surplus blanks are no difference.
    """
    if not labels:
        raise ValueError("an answer is judged by at least one label")
    return max(_similarity(_plain(answer), _plain(label)) for label in labels)


def edit_distance(first: str, second: str) -> int:
    """Fewest insertions, deletions and replacements of a character that make one the other."""
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, start=1):
        before, row[0] = row[0], i
        for j, other in enumerate(second, start=1):
            cost = before + (letter != other)
            before = row[j]
            row[j] = min(cost, before + 1, row[j - 1] + 1)
    return row[-1]


def _similarity(answer: str, label: str) -> float:
    longest = max(len(answer), len(label))
    distance = edit_distance(answer, label) / longest if longest else 0.0
    return 1 - distance if distance < THRESHOLD else 0.0


def _plain(text: str) -> str:
    return " ".join(text.lower().split())
