"""Judge answers in words by their labels: the benchmark's own rule, or ViCrop's where named so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from seal.evaluation.judged import INVALID
from seal.evaluation.task import Prediction, TaskQuestion

Credit: TypeAlias = Callable[[str, Sequence[str]], float]  # (answer, labels) -> from 0 to 1
VICROP = "vicrop"  # the scoring whose answers are judged as ViCrop's code does
# How such benchmarks are put: as everybody does since LLaVA-1.5, as they stand, or as ViCrop does.
IN_WORDS = ("short_answer", "free", VICROP)


def judge_words(
    credit: Credit, vicrop: Credit | None = None
) -> Callable[[TaskQuestion, Prediction], dict[str, Any]]:
    """A judge of questions with labels. An empty answer is invalid and earns nothing.

    vicrop: of answers put as scoring=vicrop; its quirks stay, so that an empty answer earns what
    it earned there, and is told as invalid all the same.
    """

    def judge(question: TaskQuestion, line: Prediction) -> dict[str, Any]:
        text = text_of(line)
        if text is None:
            return dict(INVALID)
        empty = not text.strip()
        if vicrop is not None and is_vicrop(line):
            earned = vicrop(text, question.labels)
        else:
            earned = 0.0 if empty else credit(text, question.labels)
        return {
            "credit": earned,
            "correct": earned == 1,
            "tie": False,
            "invalid": empty,
            "chosen": None if empty else text,
        }

    return judge


def is_vicrop(line: Prediction) -> bool:
    """Whether an answer is to be judged as ViCrop's code does."""
    return str(line["scoring"]).partition("+")[0] == VICROP


def text_of(line: Prediction) -> str | None:
    """What was said; None: nothing, since the question could not be put or was not answered."""
    answer = line["answer"]
    return None if answer is None else answer.get("text")
