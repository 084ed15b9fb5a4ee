"""The forms of MMBench: its tables, of the benchmark and of answers for upload.

Benchmark: index, question, A to D, answer, hint, category, l2-category, split, image (VLMEvalKit's
MMBench_DEV_EN.tsv and its kin; lmms-lab/MMBench on the hub). Circular copies of a question, its
options rotated, have its index plus a multiple of a million. A picture is base64, or, to save
space, the index of the row that has it (`ImageBaseDataset` in vlmeval/dataset/image_base.py).
Answers: index, prediction and answer, with question and options or without (scripts/
convert_mmbench_for_submission.py of haotian-liu/LLaVA).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from seal.evaluation.recorded.said import Recorded, Said
from seal.evaluation.scorings.file_order import SHUFFLED
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.read import read_rows as rows_of_file
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.files import only_file
from seal.evaluation.tasks.row_entry import Ids, RowEntry
from seal.evaluation.tasks.spec import Read
from seal.text.letters import LETTERS
from seal.text.quote import quoted

COLUMNS = ("index", "question", "A", "B")
COPY = 1_000_000  # what each circular copy adds to its question's index
_REFERENCE = 64  # characters; a longer cell is a picture
_MOST = 4  # options, where a file of answers does not tell how many there were
_L2 = ("l2-category", "L2-category", "l2_category")


def read(path: Path) -> Read:
    """The official .tsv, or a folder with it alone."""
    return read_rows(rows_of_file(only_file(path, "*.tsv", "*.xlsx")))


def read_rows(rows: Rows) -> Read:
    """Rows of the official table or of the hub; answers may be kept back, as those of `test`."""
    rows.need(*COLUMNS)
    ids = Ids()
    read = [_question(RowEntry(rows, i), ids) for i in range(len(rows))]
    _check_copies(rows, read)
    if "image" not in rows.columns:
        return read, row_images(rows, {})
    place = {question.id: i for i, question in enumerate(read)}
    questions: list[TaskQuestion] = []
    cells: dict[str, tuple[int, str]] = {}
    for i, question in enumerate(read):
        holder = _holder(rows, i, question, place)
        name = read[holder].id
        cells[name] = holder, "image"
        questions.append(replace(question, image=name))
    return questions, row_images(rows, cells)


def _question(entry: RowEntry, ids: Ids) -> TaskQuestion:
    index = entry.number("index")
    options = entry.listed_options("ABCDE")
    hint, text = entry.told("hint"), entry.text("question")
    known = entry.told("answer") is not None
    meta = {
        "group": str(index % COPY),
        "question": text,
        "hint": hint,
        "category": entry.told("category"),
        "l2_category": next((told for key in _L2 if (told := entry.told(key))), None),
        "split": entry.told("split"),
        "source": entry.told("source"),
    }
    name = ids.new(entry, "index", index)
    return TaskQuestion(
        id=name,
        text=text if hint is None else f"{hint}\n{text}",
        image=name,
        options=options,
        answer=entry.letter("answer", len(options)) if known else None,
        split=meta["category"] or "",
        meta={key: value for key, value in meta.items() if value} | {SHUFFLED: True},
    )


def _holder(rows: Rows, row: int, question: TaskQuestion, place: Mapping[str, int]) -> int:
    """The row that has a question's picture: its own, that it names, or its first copy's."""
    size = rows.size(row, "image")
    if size is not None and size <= _REFERENCE:
        entry = RowEntry(rows, row)
        if size == 0:
            raise entry.wrong("image", entry.content["image"], "a picture, or the index of its row")
        index = str(entry.number("image"))
        if index not in place or (rows.size(place[index], "image") or 0) <= _REFERENCE:
            raise entry.wrong("image", index, "the index of a row that has a picture")
        return place[index]
    first = place.get(question.meta["group"], row)
    return first if rows.size(first, "image") == size else row


def recorded(path: Path, questions: Sequence[TaskQuestion] | None) -> Recorded | None:
    """A table of answers that says itself what is right; a letter where options are missing.

    With the benchmark's own questions at hand the general reader of such tables finds them.
    """
    if questions is not None or path.suffix.lower() not in (".tsv", ".csv", ".xlsx"):
        return None
    rows = rows_of_file(path)
    if not {"index", "prediction"} <= set(rows.columns):
        return None
    if "answer" not in rows.columns:
        raise ValueError(
            f"{path} has no column answer: annotations= must name the benchmark's own table"
        )
    entries = [RowEntry(rows, i) for i in range(len(rows))]
    own = _answered(rows, entries)
    said = [
        Said(str(entry.where), question.id, text=entry.told("prediction"))
        for entry, question in zip(entries, own, strict=True)
    ]
    return own, said


def _answered(rows: Rows, entries: Sequence[RowEntry]) -> list[TaskQuestion]:
    """The questions of a table of answers. Without options they are as many as there are copies.

    Their picture is not there, but has its name: copies are about one, and stand or fall together.
    """
    ids = Ids()
    if set(COLUMNS) <= set(rows.columns):
        own = [_with_answer(entry, ids) for entry in entries]
        _check_copies(rows, own)
        return [replace(question, image=question.meta["group"]) for question in own]
    copies = Counter(entry.number("index") % COPY for entry in entries)
    questions = []
    for entry in entries:
        index = entry.number("index")
        answer = entry.letter("answer", _MOST)
        count = copies[index % COPY] if copies[index % COPY] > 1 else _MOST
        questions.append(
            TaskQuestion(
                id=ids.new(entry, "index", index),
                text=entry.told("question") or f"question {index}",
                image=str(index % COPY),
                options=tuple(f"option {letter}" for letter in LETTERS[: max(count, answer + 1)]),
                answer=answer,
                split=entry.told("category") or "",
                meta={"group": str(index % COPY), SHUFFLED: True},
            )
        )
    return questions


def _check_copies(rows: Rows, questions: Sequence[TaskQuestion]) -> None:
    """Copies of a question must have its options, in whatever order.

    Raises:
        ValueError: names the row that has others, and what they are.
    """
    first: dict[str, list[str]] = {}
    for i, question in enumerate(questions):
        options = sorted(question.options)
        if first.setdefault(question.meta["group"], options) != options:
            group = question.meta["group"]
            raise ValueError(
                f"{rows.where(i)}: {quoted(list(question.options))} are not the options of "
                f"question {group}, of which {question.id} is a copy: {quoted(first[group])}"
            )


def _with_answer(entry: RowEntry, ids: Ids) -> TaskQuestion:
    question = _question(entry, ids)
    if question.answer is None:
        raise entry.wrong("answer", entry.content["answer"], "the letter of an option")
    return question
