"""The forms of MME-RealWorld: its JSON beside folders of pictures, and tables with the pictures.

JSON: Question_id, Image, Text, Answer choices, Ground truth, Category, Subtask, Task; with Output
it is a record of answers (evaluation/output_test_template.json of yfzhang114/MME-RealWorld).
Tables, of VLMEvalKit and of the hub for lmms-eval: index, question, multi-choice options, answer,
category ("Perception/Monitoring"), l2-category, and the picture in base64 as image or bytes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seal.evaluation.benchmark_images import FolderImages
from seal.evaluation.recorded.said import Hints, Recorded, Said
from seal.evaluation.scorings.file_order import SHUFFLED
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.read import read_rows as rows_of_file
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.files import only_file
from seal.evaluation.tasks.row_entry import Ids, RowEntry
from seal.evaluation.tasks.spec import Read
from seal.text.letters import LETTERS

JSON_KEYS = ("Question_id", "Image", "Text", "Answer choices", "Ground truth", "Subtask", "Task")
COLUMNS = ("index", "question", "multi-choice options", "answer", "category")
_PICTURES = ("image", "bytes")
_MARKED = re.compile(r"\s*[(\uff08]([A-Z])[)\uff09]\s*(.*?)\s*", re.DOTALL)
_TASKS = {"perception": "Perception", "reasoning": "Reasoning"}


def read(path: Path, name: str) -> Read:
    """The official .json, or a table of VLMEvalKit, or a folder with one of them.

    name: of the .json, which counts before others that lie beside it.
    """
    file = only_file(path, name, "*.json", "*.tsv")
    rows = rows_of_file(file)
    if "Question_id" in rows.columns:
        return json_questions(rows), FolderImages(file.parent)
    return read_rows(rows)


def json_questions(rows: Rows) -> list[TaskQuestion]:
    rows.need(*JSON_KEYS)
    ids = Ids()
    questions = []
    for i in range(len(rows)):
        entry = RowEntry(rows, i)
        options = _options(entry, "Answer choices", entry.items("Answer choices"))
        questions.append(
            TaskQuestion(
                id=ids.new(entry, "Question_id", entry.text("Question_id")),
                text=entry.text("Text"),
                image=entry.text("Image"),
                options=options,
                answer=entry.letter("Ground truth", len(options)),
                split=f"{_task(entry, 'Task')}/{entry.text('Subtask')}",
                meta={"category": _category(entry.told("Category")), SHUFFLED: True},
            )
        )
    return questions


def read_rows(rows: Rows) -> Read:
    """Rows of a table that holds the pictures."""
    rows.need(*COLUMNS)
    column = next((name for name in _PICTURES if name in rows.columns), None)
    if column is None:
        rows.need(_PICTURES[0])
    ids = Ids()
    questions: list[TaskQuestion] = []
    cells: dict[str, tuple[int, str]] = {}
    for i in range(len(rows)):
        entry = RowEntry(rows, i)
        name = ids.new(entry, "index", entry.text("index"))
        options = _options(entry, "multi-choice options", _choices(entry))
        kind, _, subtask = entry.text("category").partition("/")
        if not subtask:
            raise entry.wrong(
                "category", entry.content["category"], "Perception/... or Reasoning/..."
            )
        cells[name] = i, str(column)
        questions.append(
            TaskQuestion(
                id=name,
                text=entry.text("question"),
                image=name,
                options=options,
                answer=entry.letter("answer", len(options)),
                split=f"{_task(entry, 'category', kind)}/{subtask}",
                meta={"category": _category(entry.told("l2-category")), SHUFFLED: True},
            )
        )
    return questions, row_images(rows, cells)


def _choices(entry: RowEntry) -> list[Any]:
    """A list; or what tables make of one: its Python form, or lines behind "The choices ...:"."""
    value = entry.content["multi-choice options"]
    if not isinstance(value, str):
        return entry.items("multi-choice options")
    if value.lstrip().startswith("["):
        try:
            read = ast.literal_eval(value.strip())  # literals only: nothing is run
        except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
            raise entry.wrong("multi-choice options", value, "a list of options") from error
        return read if isinstance(read, list) else [read]
    return [line for line in value.split("\n") if _MARKED.fullmatch(line)]


def _options(entry: RowEntry, key: str, choices: list[Any]) -> tuple[str, ...]:
    """Without the "(A) " before them, which must say their place."""
    options = []
    for place, choice in enumerate(choices):
        found = _MARKED.fullmatch(choice) if isinstance(choice, str) else None
        if found is None or found[1] != LETTERS[place : place + 1]:
            raise entry.wrong(key, choices, "texts that begin with (A), (B), ... in this order")
        options.append(found[2])
    if len(options) < 2:
        raise entry.wrong(key, choices, "two or more options")
    return tuple(options)


def _task(entry: RowEntry, key: str, told: str | None = None) -> str:
    name = (told or entry.text(key)).strip().lower()
    if name not in _TASKS:
        raise entry.wrong(key, entry.content[key], "Perception or Reasoning")
    return _TASKS[name]


def _category(told: str | None) -> str:
    """In lower case, attributes of one thing as one, as the official script groups them."""
    category = (told or "").lower()
    return f"{category.partition('/')[0]}/attribute" if "attribute" in category else category


def recorded(path: Path, questions: Sequence[TaskQuestion] | None) -> Recorded | None:
    """The official form of results: the JSON with an Output to each question."""
    if path.suffix.lower() not in (".json", ".jsonl"):
        return None
    rows = rows_of_file(path)
    output = next((key for key in ("Output", "output") if key in rows.columns), None)
    if output is None or "Question_id" not in rows.columns:
        return None
    own = json_questions(rows) if questions is None else list(questions)
    said = []
    for i in range(len(rows)):
        entry = RowEntry(rows, i)
        name = entry.text("Question_id")
        truth = entry.told("Ground truth")  # which the benchmark's must be, if it is at hand
        hints = Hints() if questions is None else Hints(question=entry.told("Text"), truth=truth)
        said.append(Said(rows.where(i), name, text=entry.told(output), hints=hints))
    return own, said
