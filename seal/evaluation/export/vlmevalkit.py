"""A run's answers as VLMEvalKit's own result table: the benchmark's columns and `prediction`.

`infer_data_job` of open-compass/VLMEvalKit (vlmeval/inference.py) writes the columns of the
benchmark's TSV without the pictures, and the prediction; its evaluation of multiple choice
(vlmeval/dataset/image_mcq.py) reads index, question, A, B, ..., answer, category and prediction. A
question that could not be put holds the words that its models behind an API leave there, which it
asks again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from seal.evaluation.export.answers import ExportedAnswer, cell
from seal.evaluation.scorings.vlmevalkit import bare_text
from seal.text.letters import LETTERS

FAILED = "Failed to obtain answer via API."
# Columns of the benchmarks' own tables, and what a question calls them where it has them.
_MORE = {
    "hint": "hint", "l2-category": "l2_category", "cycle_category": "cycle", "split": "split",
    "source": "source",
}  # fmt: skip


def vlmevalkit_table(answers: Sequence[ExportedAnswer]) -> tuple[list[str], list[list[Any]]]:
    """The columns and the rows. Where options were shown in another order than the file's, they
    and the letter of the true one stand as they were shown.

    Raises:
        ValueError: two questions of one index.
    """
    letters = LETTERS[: max(len(answer.options) for answer in answers)]
    more = [c for c in _MORE if any(_more(answer, c) is not None for answer in answers)]
    columns = ["index", "question", *letters, *more, "answer", "category", "prediction"]
    rows, seen = [], set()
    for answer in answers:
        if answer.index in seen:
            raise ValueError(f"two questions have the index {answer.index}: give them others")
        seen.add(answer.index)
        options = [*answer.options, *[None] * (len(letters) - len(answer.options))]
        category = cell(answer.question.meta.get("category")) or answer.question.split
        rows.append(
            [
                answer.index,
                bare_text(answer.question),
                *options,
                *(_more(answer, column) for column in more),
                _truth(answer),
                category,
                FAILED if answer.text is None else answer.text,
            ]
        )
    return columns, rows


def _more(answer: ExportedAnswer, column: str) -> Any:
    return cell(answer.question.meta.get(_MORE[column]))


def _truth(answer: ExportedAnswer) -> str | None:
    """Several right answers are a list in one cell."""
    several = not answer.question.options and len(answer.question.labels) > 1
    return json.dumps(list(answer.question.labels)) if several else answer.truth
