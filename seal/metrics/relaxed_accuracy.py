"""Relaxed accuracy: a number read off a chart may be a little wrong, a word may not."""

from __future__ import annotations

import re
from collections.abc import Sequence

from seal.metrics.exact_match import plain_answer

TOLERANCE = 0.05  # of the right number
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?%?", re.ASCII)


def relaxed_accuracy(answer: str, labels: Sequence[str]) -> float:
    """1 if the answer is a number within 5% of a label that is one, or else the same words.

    As ChartQA's authors define it (Masry et al., 2022, section 5.1, after Methani et al., 2020)
    and Qwen-VL's eval_mm/evaluate_vqa.py and lmms-eval count it: 12% is the number 0.12, a number
    with commas between its thousands is a word. Two ways in which those are stricter are not kept:
    blanks and a full stop at the end make no word another, and 0.0 is the number 0.
    """
    if not labels:
        raise ValueError("an answer is judged by at least one label")
    return float(any(_is_right(plain_answer(answer), plain_answer(label)) for label in labels))


def _is_right(said: str, label: str) -> bool:
    number, right = _number(said), _number(label)
    if number is None or right is None:
        return said == label
    if not right:
        return number == right
    # Divided as they do: a product rounds otherwise, and the border is where rounding decides.
    return abs(number - right) / abs(right) <= TOLERANCE


def _number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)
