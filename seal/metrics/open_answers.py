"""Answers in the middle of a sentence, read as MMMU's evaluation reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# What an answer may stand behind; in the last line an equation counts too.
_BEFORE = (
    "could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ",
)  # fmt: skip
_MARKS = {*":,.!?;'"}
_NUMBERS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),
    re.compile(r"-?\d+(?:\.\d+)?[eE][+-]?\d+"),
    re.compile(r"-?(?:\d+\.\d+|\.\d+|\d+\b)(?![eE][+-]?\d)(?![,\d])"),
)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?")
_DIGITS = 2  # behind the point, that count


def open_answer(answer: str, labels: Sequence[str]) -> float:
    """1 if a label is a part of what was said, or is a number among those that were said.

    By the rules of MMMU-Benchmark/MMMU, eval/eval_utils.py (`parse_open_response`, `eval_open`):
    without case; of each line what stands behind the last "is", "so", "answer" and their like, the
    shortest where there are several, or all that was said where there is none; numbers to two
    digits behind the point; a label of one letter needs a blank beside it.
    """
    if not labels:
        raise ValueError("an answer is judged by at least one label")
    said = list(_said(answer))
    texts = [one for one in said if isinstance(one, str)]
    for label in labels:
        for form in _forms(label):
            if isinstance(form, str):
                if any(form in text for text in texts):
                    return 1.0
            elif form in said:
                return 1.0
    return 0.0


def _said(answer: str) -> Iterator[str | float]:
    """The texts and numbers that an answer comes down to."""
    plain = answer.strip().strip(".").lower()
    lines = plain.split("\n")
    pieces = []
    for place, line in enumerate(lines):
        marks = (*_BEFORE, "=") if place == len(lines) - 1 else _BEFORE
        shortest = ""
        for tail in (line.rpartition(mark)[2].strip() for mark in marks if mark in line):
            # One of nothing is the shortest, and whatever comes next stands in its place.
            if not shortest or len(tail) < len(shortest):
                shortest = tail
        if shortest and shortest not in _MARKS:
            pieces.append(shortest)
    for piece in pieces or [plain]:
        yield from _forms(piece)
        for pattern in _NUMBERS:
            for number in pattern.findall(piece):
                yield from _forms(number)


def _forms(text: str) -> Sequence[str | float]:
    bare = text.strip().lower()
    number = bare.replace(",", "").strip()
    if _NUMBER.fullmatch(number):
        return [round(float(number), _DIGITS)]
    return [f" {bare}", f"{bare} "] if len(bare) == 1 else [bare]
