"""What an answer that a judge graded earns; without a grade it earns nothing, not even 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seal.evaluation.task import Prediction, TaskQuestion
from seal.text.quote import quoted
from seal.text.thinking import without_thinking


def said_of(line: Prediction) -> str:
    """What there is to grade, without thoughts; "" where nothing was said."""
    answer = line.get("answer") or {}
    return without_thinking(answer.get("text") or "")


def score_graded(line: Prediction, credit: Callable[[Any], float]) -> dict[str, Any]:
    """A line's score by its grade.

    `credit` is None where a judge's grade is missing: such a line is in no number but the count of
    the ungraded. Who said nothing is judged by nobody, is `invalid` and earns 0.

    credit: of a grade's score, from 0 to 1.

    Raises:
        ValueError: a stored grade is none of this benchmark's.
    """
    if _waits(line):
        return _score(None)
    score = (line.get("grade") or {}).get("score")
    if score is None:
        return _score(0.0, invalid=True)
    try:
        earned = credit(score)
    except (TypeError, ValueError, LookupError):
        earned = math.nan
    if not 0.0 <= earned <= 1.0:
        raise ValueError(f"{line.get('id')}: grade.score={quoted(score)} is no grade of this task")
    return _score(earned, correct=earned == 1.0, chosen=score)


def number_of(score: Any) -> float:
    """A number that a grade consists of; a TypeError for anything else."""
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise TypeError(f"{quoted(score)} is no number")
    return float(score)


def several_runs(line: Prediction) -> list[float] | None:
    """The scores of each run of a judge that graded an answer several times, or its only one."""
    grade = line.get("grade") or {}
    if grade.get("score") is None:
        return None
    return [number_of(run) for run in grade.get("runs") or [grade["score"]]]


def count_ungraded(scores: Sequence[Mapping[str, Any]]) -> int:
    return sum(score["credit"] is None for score in scores)


def judged_by(
    lines: Sequence[Prediction],
    score: Callable[[TaskQuestion, Prediction], Mapping[str, Any]],
) -> dict[str, Any]:
    """For metrics.json: which judges and prompts the grades are of; nothing where there are none.

    Grades of one prompt are comparable with each other alone. Ungraded is what the task's `score`
    finds no credit for: a choice among options, or words that are right as they stand, wait for
    nobody.
    """
    grades = [line["grade"] for line in lines if line.get("grade")]
    if not grades:
        return {}
    return {
        "judge": {
            "model": ", ".join(sorted({grade.get("model") or "not told" for grade in grades})),
            "prompt": ", ".join(sorted({grade.get("prompt") or "not told" for grade in grades})),
            "graded": sum(grade.get("score") is not None for grade in grades),
            "ungraded": count_ungraded(
                [score(TaskQuestion.from_dict(line["question"]), line) for line in lines]
            ),
        }
    }


def _waits(line: Prediction) -> bool:
    """Whether there is something to grade and no grade; recorded grades may be of answers that
    nobody kept.
    """
    grade = line.get("grade")
    return (grade or {}).get("score") is None and (grade is not None or bool(said_of(line)))


def _score(
    credit: float | None, *, correct: bool = False, invalid: bool = False, chosen: Any = None
) -> dict[str, Any]:
    return {
        "credit": credit, "correct": correct, "tie": False, "invalid": invalid, "chosen": chosen,
    }  # fmt: skip
