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


def docvqa_anls(answer: str, labels: Sequence[str]) -> float:
    """In [0, 1]: ANLS as DocVQA's server scores it, which its published numbers come from.

    It differs from the paper's in two ways: an answer that is exactly half wrong earns its half,
    and lengths are those of the texts before surplus blanks go (the competition's evaluate.py, as
    kept in Qwen-VL's eval_mm/infographicsvqa_eval.py and in lmms-eval).
    """
    if not labels:
        raise ValueError("an answer is judged by at least one label")
    shares = []
    for label in labels:
        longest = max(len(answer.upper()), len(label.upper()))
        distance = edit_distance(_plain(answer), _plain(label))
        shares.append(distance / longest if longest else 0.0)
    likeness = 1 - min(shares)
    return likeness if likeness >= THRESHOLD else 0.0


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
