"""The forms of HR-Bench: rows, one for each order of the options, and ZoomEye's merged records.

Rows: index, question, A to D, answer, category (single, cross), cycle_category (0 to 3), image in
base64 (hr_bench_4k.tsv of DreamMr/HR-Bench). Merged: one record of four orders, `options` and
`answer` being lists, `input_image` a path (annotation_hr-bench_4k.json of ZoomEye's data); with
`output`, a list too, it is a record of answers (ZoomEye/eval/eval_results_hr-bench.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seal.evaluation.benchmark_images import FolderImages
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

COLUMNS = ("index", "question", "A", "B", "answer", "category", "cycle_category", "image")
MERGED = ("index", "question", "options", "answer", "category", "input_image")
CATEGORIES = ("single", "cross")
_FILES = ("*.tsv", "annotation_hr-bench_*.json")


def read(path: Path) -> Read:
    """The official .tsv or ZoomEye's .json, or a folder with one of them."""
    file = only_file(path, *_FILES)
    rows = rows_of_file(file)
    if "input_image" in rows.columns:
        return merged_questions(rows), FolderImages(file.parent)
    return read_rows(rows)


def read_rows(rows: Rows) -> Read:
    """Rows of the official table or of the hub; the four of a question share one picture."""
    rows.need(*COLUMNS)
    ids, groups = Ids(), _Groups()
    questions: list[TaskQuestion] = []
    cells: dict[str, tuple[int, str]] = {}
    for i in range(len(rows)):
        entry = RowEntry(rows, i)
        name = ids.new(entry, "index", entry.text("index"))
        options = entry.listed_options("ABCD")
        text, cycle = entry.text("question"), entry.number("cycle_category")
        first, row = groups.of(text, options, cycle, name, i)
        shown = first
        if rows.size(i, "image") != rows.size(row, "image"):  # known where it costs nothing
            shown, row = name, i  # another file, if of the same picture: it stays the row's own
        cells.setdefault(shown, (row, "image"))
        questions.append(
            TaskQuestion(
                id=name,
                text=text,
                image=shown,
                options=options,
                answer=entry.letter("answer", len(options)),
                split=entry.one_of("category", CATEGORIES),
                meta={"cycle": cycle, "group": first, SHUFFLED: True},
                picture=first,  # of the four, be it stored anew
            )
        )
    return questions, row_images(rows, cells)


class _Groups:
    """Which rows are one question: those with its words and options, each order once."""

    def __init__(self) -> None:
        self._firsts: dict[Any, list[tuple[str, int]]] = {}
        self._seen: dict[Any, int] = {}

    def of(
        self, text: str, options: Sequence[str], cycle: int, name: str, row: int
    ) -> tuple[str, int]:
        """Id and number of the question's first row.

        Two questions may have the same words: the second time an order comes it is the second's.
        """
        key = text, tuple(sorted(options))
        turn = self._seen[key, cycle] = self._seen.get((key, cycle), -1) + 1
        firsts = self._firsts.setdefault(key, [])
        if turn == len(firsts):
            firsts.append((name, row))
        return firsts[turn]


def merged_questions(rows: Rows) -> list[TaskQuestion]:
    """Four questions of each record; their ids are its index and the numbers behind it."""
    rows.need(*MERGED)
    ids = Ids()
    questions = []
    for i in range(len(rows)):
        entry = RowEntry(rows, i)
        start = entry.number("index")
        orders, letters = entry.texts("options"), entry.texts("answer")
        if not orders or len(orders) != len(letters):
            raise entry.wrong("answer", letters, f"as many as options, {len(orders)}")
        for cycle, (listed, truth) in enumerate(zip(orders, letters, strict=True)):
            options = _listed(entry, listed)
            if len(truth) != 1 or truth not in LETTERS[: len(options)]:
                raise entry.wrong("answer", letters, "letters of options")
            questions.append(
                TaskQuestion(
                    id=ids.new(entry, "index", start + cycle),
                    text=entry.text("question"),
                    image=entry.text("input_image"),
                    options=options,
                    answer=LETTERS.index(truth),
                    split=entry.one_of("category", CATEGORIES),
                    meta={"cycle": cycle, "group": str(start), SHUFFLED: True},
                )
            )
    return questions


def _listed(entry: RowEntry, listed: str) -> tuple[str, ...]:
    """ "A. red (newline) B. blue" -> the options."""
    options = []
    for place, line in enumerate(listed.strip().split("\n")):
        found = re.fullmatch(rf"\s*{LETTERS[place]}\.\s*(\S.*?)\s*", line)
        if found is None or place == len(LETTERS) - 1:
            raise entry.wrong("options", listed, "lines A., B., ... with an option each")
        options.append(found[1])
    if len(options) < 2:
        raise entry.wrong("options", listed, "two or more options")
    return tuple(options)


def recorded(path: Path, questions: Sequence[TaskQuestion] | None) -> Recorded | None:
    """ZoomEye's merged records with their outputs, which hold their questions.

    With the benchmark's own questions at hand the general reader of this form finds them.
    """
    if questions is not None or path.suffix.lower() not in (".json", ".jsonl"):
        return None
    rows = rows_of_file(path)
    if not {"output", *MERGED} <= set(rows.columns):
        return None
    own = merged_questions(rows)
    by_place = iter(own)
    said = []
    for i in range(len(rows)):
        entry = RowEntry(rows, i)
        outputs = entry.items("output")
        if len(outputs) != len(entry.items("options")):
            raise entry.wrong("output", outputs, "an answer to each order of the options")
        for turn, output in enumerate(outputs, start=1):
            if not isinstance(output, str | None):
                raise entry.wrong("output", outputs, "texts")
            question = next(by_place)
            order = tuple(range(len(question.options)))
            where = f"{rows.where(i)}, output {turn}"
            said.append(Said(where, question.id, text=output, order=order))
    return own, said
