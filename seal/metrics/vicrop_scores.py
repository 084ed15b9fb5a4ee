"""ViCrop's own scorers, which its published numbers come from, quirks and all.

Each gives the credit of one answer as a fraction; GQA's can exceed 1. Beside the standard scorers
they are generous: an empty answer is right in DocVQA, "yes" in POPE and "A" in V*Bench.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from seal.metrics.vqa_answers import normalize_answer

_LETTERS = "ABCD"


def vqa_credit(answer: str, labels: Sequence[str]) -> float:
    """0.3 for each label that equals the answer, at most 1: TextVQA, VQAv2 and A-OKVQA.

    `labels` of a string are its characters, here and below: so the original counts them.
    """
    said = normalize_answer(answer)
    return min(0.3 * sum(said == normalize_answer(label) for label in labels), 1.0)


def gqa_credit(answer: str, labels: Sequence[str]) -> float:
    """1 for each label within the answer, letters within words included."""
    said = normalize_answer(answer)
    return float(sum(normalize_answer(label) in said for label in labels))


def docvqa_credit(answer: str, labels: Sequence[str]) -> float:
    """1 if the answer is within a label or a label within the answer, character by character."""
    return float(any(answer in label or label in answer for label in labels))


def pope_credit(answer: str, label: str | Sequence[str]) -> float:
    """1 if the label is what the answer is nearer to; a list of labels never is."""
    return float(pope_choice(answer) == label)


def pope_choice(answer: str) -> str:
    """Whichever of "yes" and "no" is spelled more alike; "yes" if neither is."""
    return ("yes", "no")[_most_similar(answer, ("yes", "no"))]


def vstar_credit(question: str, answer: str, labels: Sequence[str]) -> float:
    """The credit of the chosen letter, whose article "A" is nothing once normalized."""
    return vqa_credit(vstar_choice(question, answer), labels)


def vstar_choice(question: str, answer: str) -> str:
    """The letter, A to D, of the option line most alike the answer; A if none is.

    The options are all lines of the question but the first and the last.

    Raises:
        ValueError: there is no such line, or the most similar one is behind the fourth.
    """
    lines = question.split("\n")[1:-1]
    if not lines:
        raise ValueError("the question has no option lines between its first line and its last")
    index = _most_similar(answer, lines)
    if index >= len(_LETTERS):
        raise ValueError(f"option line {index + 1} has no letter: there are {len(_LETTERS)}")
    return _LETTERS[index]


def _most_similar(answer: str, candidates: Sequence[str]) -> int:
    alike = [SequenceMatcher(None, answer, candidate).ratio() for candidate in candidates]
    return alike.index(max(alike))
