"""MMMU's validation questions about one picture: college courses, with options or in words."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from seal.evaluation.judged import INVALID, judge_choice
from seal.evaluation.scorings.file_order import SHUFFLED
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.read import read_rows as rows_of_file
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import Prediction, TaskQuestion
from seal.evaluation.tasks.answers_in_words import judge_words
from seal.evaluation.tasks.entries import Entry
from seal.evaluation.tasks.labels import labels_in, listed_options
from seal.evaluation.tasks.row_entry import Ids, RowEntry
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.metrics.open_answers import open_answer

COLUMNS = ("id", "question", "options", "answer", "question_type", "image_1")
CHOICE, OPEN = "multiple-choice", "open"
_PLACE = re.compile(r"<image (\d)>")  # where a picture belongs; it stays in the question's text
_ID = re.compile(r"[a-z]+_(?P<subject>\w+)_\d+")  # validation_Art_Theory_1
_MORE = ("topic_difficulty", "subfield", "img_type")


def read(path: Path) -> Read:
    """A parquet file of the hub's data set, or a folder of them."""
    return read_rows(rows_of_file(path))


def read_rows(rows: Rows) -> Read:
    """The hub's rows. Questions about several pictures are left out: nothing here shows several.

    Raises:
        ValueError: a row that is not as it should be, or none that has one picture alone.
    """
    rows.need(*COLUMNS)
    ids = Ids()
    cells: dict[str, tuple[int, str]] = {}
    questions = []
    for index in range(len(rows)):
        entry = RowEntry(rows, index)
        name = ids.new(entry, "id", entry.text("id"))
        options = _listed(entry, "options")
        pictures = sorted({*_PLACE.findall(" ".join([entry.text("question"), *options]))}) or ["1"]
        if len(pictures) > 1:
            continue
        column = f"image_{pictures[0]}"
        if column not in rows.columns:
            raise entry.wrong("question", entry.text("question"), f"a picture in column {column}")
        cells[name] = (index, column)
        questions.append(_question(entry, name, options))
    if not questions:
        raise ValueError(f"{rows.name} has no question about one picture alone")
    return questions, row_images(rows, cells)


def _listed(entry: Entry, key: str) -> list[str]:
    """A list, which the hub holds as the text of one as Python writes it."""
    value: Any = entry.content.get(key)
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value)  # nothing is run
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise entry.wrong(key, value, "a list of texts") from None
    if not isinstance(value, list):
        raise entry.wrong(key, value, "a list of texts")
    return [str(one) for one in value]


def _question(entry: RowEntry, name: str, options: list[str]) -> TaskQuestion:
    known = _ID.fullmatch(name)
    if known is None:
        raise entry.wrong("id", name, "PART_SUBJECT_NUMBER")
    content: dict[str, Any]
    if entry.one_of("question_type", (CHOICE, OPEN)) == CHOICE:
        listed = listed_options(Entry(entry.where, {"options": options}), "options")
        content = {"options": listed, "answer": entry.letter("answer", len(listed))}
    else:
        told = entry.text("answer")
        labels = _listed(entry, "answer") if told.startswith("[") else [told]
        content = {"labels": labels_in(Entry(entry.where, {"answer": labels}), "answer")}
    meta = {key: entry.text(key) for key in _MORE if entry.told(key) is not None}
    return TaskQuestion(
        id=name,
        text=entry.text("question"),
        image=name,
        split=known["subject"],
        meta=meta | {"question_type": entry.text("question_type"), SHUFFLED: True},
        **content,
    )


_in_words = judge_words(open_answer)


def judge(question: TaskQuestion, line: Prediction) -> dict[str, Any]:
    """The option; in words MMMU's own rule. A letter that cannot be read is wrong, where MMMU's
    evaluation draws one.
    """
    if question.options:
        return judge_choice(question, line)
    return dict(INVALID) if line["answer"] is None else _in_words(question, line)


SPEC = TaskSpec(
    name="mmmu",
    title="MMMU, validation, the questions about one picture: college courses",
    files="the folder of the hub's validation-*.parquet, or one such file",
    hub="lmms-lab/MMMU::validation",
    origin="https://mmmu-benchmark.github.io",
    licence="Apache-2.0",
    counts={},  # 900 with those about several pictures
    scorings=("letter_llava_or_short", "letter_or_short", "cyclic_or_short"),
    read=read,
    read_rows=read_rows,
    judge=judge,
)
