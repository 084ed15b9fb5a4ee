"""Prediction lines for tests of tasks with options: a text to every wording of a question."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from seal.evaluation.scorings.named import scoring_named
from seal.evaluation.sources.delimited import delimited_line
from seal.evaluation.task import Prediction, TaskQuestion


def written_line(
    question: TaskQuestion, text: str | None, scoring: str, **answer: Any
) -> Prediction:
    """As the runner writes one; None: the question could not be put."""
    asked = scoring_named(scoring)
    orders = [list(w.order) for w in asked.wordings(question, 0)]
    said = {"text": text, "texts": [text] * max(1, len(orders)), "losses": [], **answer}
    return {
        "id": question.id,
        "system": "guided",
        "scoring": scoring,
        "presented": orders or None,
        "question": question.to_dict(),
        "answer": None if text is None else said,
        "error": None,
    }


def lines_of(
    questions: Sequence[TaskQuestion], say: Callable[[TaskQuestion], str | None], scoring: str
) -> list[Prediction]:
    return [written_line(question, say(question), scoring) for question in questions]


def right(question: TaskQuestion) -> str:
    assert question.answer is not None
    return "ABCDEFGH"[question.answer]


def wrong(question: TaskQuestion) -> str:
    assert question.answer is not None
    return "ABCDEFGH"[(question.answer + 1) % len(question.options)]


def picture(color: str = "red", size: tuple[int, int] = (8, 6)) -> str:
    """A small picture in base64."""
    data = io.BytesIO()
    Image.new("RGB", size, color).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    """A .tsv or .csv."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = "," if path.suffix == ".csv" else "\t"
    lines = [delimited_line(list(row), mark) for row in (columns, *rows)]
    path.write_text("".join(lines), encoding="utf-8")
    return path
