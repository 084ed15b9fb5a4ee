"""Prediction lines of a search shown at several levels, made up question by question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seal.evaluation.task import AnnotatedTarget, Prediction, TaskQuestion
from seal.geometry import Box


def asked(at: int, *, split: str = "", side: float = 0, image: str = "", **meta: Any):
    """A question of two options, the first right; `side`: of the square that it is about."""
    boxes = (Box(0.0, 0.0, side, side),) if side else ()
    return TaskQuestion(
        id=f"q{at}", text="Which?", image=image or f"{at}.jpg", options=("yes", "no"),
        answer=0, split=split, meta=meta, targets=(AnnotatedTarget("mug", boxes),) if side else (),
    )  # fmt: skip


def line(
    question: TaskQuestion,
    system: str,
    *,
    right: bool,
    levels: Sequence[int] | None = None,
    tokens: float | None = None,
) -> Prediction:
    """One answer, read at these levels (the whole image's, then the crops')."""
    model: dict[str, Any] = {
        "calls": 1, "options_scored": 2, "tokens_read": 9, "tokens_written": 0, "images": 1,
        "pixels": 4,
    }  # fmt: skip
    losses = [0.1, 0.9] if right else [0.9, 0.1]
    counted = sum(levels or ()) if tokens is None else tokens
    return {
        "id": question.id, "system": system, "task": "own", "task_version": "1",
        "protocol": "default", "scoring": "likelihood", "presented": None,
        "question": question.to_dict(), "prompt": "", "error": None,
        "answer": {
            "text": "", "texts": [], "first_text": "", "losses": losses,
            "searches": [], "memory": [], "not_found": [],
            **({} if levels is None else {"levels": list(levels)}),
            "cost": {
                "visits": 0, "calls": {}, "seconds": {"first": 0.25, "final": 0.5},
                "answer_model": model | ({} if levels is None else {"visual_tokens": counted}),
            },
        },
    }  # fmt: skip
