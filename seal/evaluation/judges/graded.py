"""What an answer that a judge graded earns; without a grade it earns nothing, not even 0."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seal.evaluation.task import Prediction
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
    """
    grade = line.get("grade") or {}
    score = grade.get("score")
    if score is not None:
        earned = credit(score)
        return _score(earned, correct=earned == 1.0, chosen=score)
    if not said_of(line):
        return _score(0.0, invalid=True)
    return _score(None)


def several_runs(line: Prediction) -> list[float] | None:
    """The scores of each run of a judge that graded an answer several times, or its only one."""
    grade = line.get("grade") or {}
    if grade.get("score") is None:
        return None
    return list(grade.get("runs") or [grade["score"]])


def count_ungraded(scores: Sequence[Mapping[str, Any]]) -> int:
    return sum(score["credit"] is None for score in scores)


def _score(
    credit: float | None, *, correct: bool = False, invalid: bool = False, chosen: Any = None
) -> dict[str, Any]:
    return {
        "credit": credit, "correct": correct, "tie": False, "invalid": invalid, "chosen": chosen,
    }  # fmt: skip


def judged_by(lines: Sequence[Prediction]) -> dict[str, Any]:
    """For metrics.json: which judges and prompts the grades are of; nothing where there are none.

    Grades of one prompt are comparable with each other alone.
    """
    grades = [line["grade"] for line in lines if line.get("grade")]
    if not grades:
        return {}
    return {
        "judge": {
            "model": ", ".join(sorted({grade.get("model") or "not told" for grade in grades})),
            "prompt": ", ".join(sorted({grade.get("prompt") or "not told" for grade in grades})),
            "graded": sum(grade.get("score") is not None for grade in grades),
            "ungraded": sum(bool(said_of(line)) and not _graded(line) for line in lines),
        }
    }


def _graded(line: Prediction) -> bool:
    return (line.get("grade") or {}).get("score") is not None
