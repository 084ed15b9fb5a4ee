"""Refuse a benchmark's own file in place of answers: its questions, or its right answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from seal.evaluation.recorded.orders import plain
from seal.evaluation.recorded.said import Said
from seal.evaluation.scorings.words import SHORT, YES_OR_NO
from seal.evaluation.task import TaskQuestion
from seal.text.letters import LETTERS

_REQUESTS = (SHORT, YES_OR_NO)
_FEW = 2  # rows that may be right by chance


def refuse_benchmark(
    answers: Mapping[str, Mapping[str, Said]], questions: Sequence[TaskQuestion], path: Path
) -> None:
    """
    answers: system -> question -> its answer.

    Raises:
        ValueError: every text is the question itself; or all that may be the right answers, by
            where they stand in their rows, are these.
    """
    known = {question.id: question for question in questions}
    for of in answers.values():
        said = [(one, known[name]) for name, one in of.items() if one.text is not None]
        if not said:
            continue
        if all(_is_question(str(one.text), question) for one, question in said):
            raise ValueError(
                f"{path} says the question itself in every row, as a benchmark's own file does: "
                "answers= names what a system said; call that prediction where both stand"
            )
        doubtful = len(said) > _FEW and all(one.hints.may_be_truth for one, _ in said)
        if doubtful and all(_is_truth(str(one.text), question) for one, question in said):
            raise ValueError(
                f"{path} has questions with the right answer to each and nothing else, as a "
                "benchmark's own file does: call what a system said prediction"
            )


def _is_question(text: str, question: TaskQuestion) -> bool:
    """Alone, or with what is asked of its answer: a system may repeat it and then answer."""
    own, said = plain(question.text), plain(text)
    return bool(own) and said in (own, *(f"{own} {plain(request)}" for request in _REQUESTS))


def _is_truth(text: str, question: TaskQuestion) -> bool:
    if question.answer is None:
        return text in question.labels
    return text in (LETTERS[question.answer], question.options[question.answer])
