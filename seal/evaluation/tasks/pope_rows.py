"""Rows of other programs' POPE files, made what the reader of its answers knows.

lmms-eval's samples (`lmms_eval/tasks/pope/utils.py`) keep the category in the document, or, since
2026, nowhere: question_id counts the questions of each category, one category behind the other.
VLMEvalKit's table has a question that stands in several categories once, with all of them in its
cell (`POPE_rating` in `vlmeval/dataset/utils/yorn.py`); where it did not reach the model, what it
writes instead would be a "yes" by POPE's rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from seal.evaluation.recorded.answer_file import AnswerRow
from seal.evaluation.recorded.lmms_eval import LMMS_EVAL
from seal.evaluation.recorded.vlmevalkit import is_failure
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.pope_files import CATEGORIES, as_asked

_OF_DOC = {"category": "category", "image_source": "image"}


def plain_rows(
    rows: Sequence[AnswerRow], questions: Sequence[TaskQuestion] | None
) -> list[AnswerRow]:
    """One row for each answer and category.

    questions: POPE's, by whose words a sample without a category finds it.

    Raises:
        ValueError: a sample is not as lmms-eval writes it.
    """
    if rows and all(LMMS_EVAL.fits(row.content) for row in rows):
        rows = [_of_sample(row) for row in rows]
        if questions is not None and any("category" not in row.content for row in rows):
            rows = [row for block in _blocks(rows) for row in _with_category(block, questions)]
    return [one for row in rows for one in _by_category(row)]


def _of_sample(row: AnswerRow) -> AnswerRow:
    (said,) = LMMS_EVAL.read(row.content, row.where)
    doc = row.content.get("doc")
    doc = doc if isinstance(doc, dict) else {}
    content = {
        "prediction": said.text,
        "question": doc.get("question", said.hints.prompt),
        "label": doc.get("answer", row.content.get("target")),
    }
    content |= {key: doc[own] for own, key in _OF_DOC.items() if own in doc}
    if said.hints.names:
        content["question_id"] = said.hints.names[0]
    return replace(row, content={key: value for key, value in content.items() if value is not None})


def _blocks(rows: Sequence[AnswerRow]) -> Iterator[list[AnswerRow]]:
    """Rows up to one whose id has been there already."""
    block: dict[str, AnswerRow] = {}
    for number, row in enumerate(rows):
        name = row.content.get("question_id", f"row {number}")
        if name in block:
            yield list(block.values())
            block = {}
        block[name] = row
    yield list(block.values())


def _with_category(
    rows: Sequence[AnswerRow], questions: Sequence[TaskQuestion]
) -> Iterator[AnswerRow]:
    """That whose questions the rows repeat most often; what differs is named by the reader."""
    known = {question.id: question for question in questions}

    def agreeing(category: str) -> int:
        return sum(
            _repeats(row.content, known.get(f"{category}/{row.content.get('question_id')}"))
            for row in rows
        )

    shares = {category: agreeing(category) for category in CATEGORIES}
    best = max(shares, key=lambda category: shares[category])
    if list(shares.values()).count(shares[best]) > 1:
        yield from rows  # a few rows may be of any: the reader says what it needs
        return
    for row in rows:
        yield replace(row, content={"category": best, **row.content})


def _repeats(content: Mapping[str, object], question: TaskQuestion | None) -> bool:
    words = content.get("question")
    if question is None or not isinstance(words, str):
        return False
    return as_asked(words) == as_asked(question.text)


def _by_category(row: AnswerRow) -> Iterator[AnswerRow]:
    said = row.content.get("prediction")
    if isinstance(said, str) and is_failure(said):
        row = replace(row, content={**row.content, "prediction": None})
    told = row.content.get("category")
    if not isinstance(told, str) or "," not in told:
        yield row
        return
    for category in told.split(","):
        yield replace(row, content={**row.content, "category": category.strip()})
