"""SEED-Bench's nine dimensions of single pictures; its videos are not asked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from seal.evaluation.benchmark_images import FolderImages
from seal.evaluation.judged import OVERALL
from seal.evaluation.recorded.said import Recorded, Said
from seal.evaluation.scorings.file_order import SHUFFLED
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.read import read_rows as rows_of_file
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.files import only_file
from seal.evaluation.tasks.row_entry import Ids, RowEntry
from seal.evaluation.tasks.spec import Read, TaskSpec

FILE, IMAGES = "SEED-Bench.json", "SEED-Bench-image"
COLUMNS = (
    "question_id", "question", "choice_a", "choice_b", "choice_c", "choice_d", "answer",
    "data_type", "question_type_id",
)  # fmt: skip
# By question_type_id, from 1, as the file's own `question_type` calls them; 10 to 12 are videos.
DIMENSIONS = (
    "Scene Understanding", "Instance Identity", "Instance Attributes", "Instance Location",
    "Instances Counting", "Spatial Relation", "Instance Interaction", "Visual Reasoning",
    "Text Understanding",
)  # fmt: skip
_VIDEO = re.compile(r"v\d+")  # ids of the questions about videos
_TWICE = "49914"  # of two questions of the official file; the second is called 49914#2 here


def read(path: Path) -> Read:
    """SEED-Bench.json beside SEED-Bench-image, or the folder of both."""
    file = only_file(path, FILE, "*.json")
    rows = rows_of_file(file, under="questions")
    rows.need(*COLUMNS, "data_id")
    ids = Ids()
    entries = [RowEntry(rows, i) for i in range(len(rows))]
    questions = [
        _question(entry, ids, entry.text("data_id")) for entry in entries if _is_image(entry)
    ]
    return _some(questions, rows), FolderImages(file.parent / IMAGES)


def read_rows(rows: Rows) -> Read:
    """Rows of the hub, where `image` is a list of one picture, or of the frames of a video."""
    rows.need(*COLUMNS, "image")
    ids = Ids()
    questions: list[TaskQuestion] = []
    cells: dict[str, tuple[int, str]] = {}
    for i in range(len(rows)):
        entry = RowEntry(rows, i)
        if _is_image(entry):
            name = entry.text("data_id") if "data_id" in rows.columns else entry.text("question_id")
            questions.append(_question(entry, ids, name))
            cells.setdefault(name, (i, "image"))
    return _some(questions, rows), row_images(rows, cells)


def _is_image(entry: RowEntry) -> bool:
    return entry.one_of("data_type", ("image", "video")) == "image"


def _question(entry: RowEntry, ids: Ids, image: str) -> TaskQuestion:
    options = tuple(entry.text(f"choice_{letter}") for letter in "abcd")
    number = entry.number("question_type_id")
    if not 1 <= number <= len(DIMENSIONS):
        raise entry.wrong("question_type_id", number, f"1 to {len(DIMENSIONS)} for a picture")
    name = entry.text("question_id")
    return TaskQuestion(
        id=ids.new(entry, "question_id", _second(name) if name == _TWICE in ids else name),
        text=entry.text("question"),
        image=image,
        options=options,
        answer=entry.letter("answer", len(options)),
        split=DIMENSIONS[number - 1],
        meta={SHUFFLED: True},
    )


def _some(questions: list[TaskQuestion], rows: Rows) -> list[TaskQuestion]:
    if not questions:
        raise ValueError(f"{rows.name} has no questions about pictures, only about videos")
    return questions


def recorded(path: Path, questions: Sequence[TaskQuestion] | None) -> Recorded | None:
    """The form of upload, question_id and prediction, without what it says about videos."""
    if questions is None or path.suffix.lower() not in (".jsonl", ".json"):
        return None
    rows = rows_of_file(path)
    if not {"question_id", "prediction"} <= set(rows.columns):
        return None
    entries = [RowEntry(rows, i) for i in range(len(rows))]
    said = [
        Said(str(entry.where), entry.text("question_id"), text=entry.told("prediction"))
        for entry in entries
        if not _VIDEO.fullmatch(entry.text("question_id"))
    ]
    return list(questions), list(_both(said, {question.id for question in questions}))


def _both(said: Sequence[Said], asked: Collection[str]) -> Iterator[Said]:
    """The answers to the two questions of one id in their order; a single one answers both, as it
    does in programs that keep answers by id.
    """
    twice = [one for one in said if one.id == _TWICE]
    for one in said:
        second = len(twice) > 1 and one is twice[1] and _second(_TWICE) in asked
        yield replace(one, id=_second(_TWICE)) if second else one
    if len(twice) == 1 and _second(_TWICE) in asked:
        yield replace(twice[0], id=_second(_TWICE))


def _second(name: str) -> str:
    return f"{name}#2"


SPEC = TaskSpec(
    name="seed_image",
    title="SEED-Bench's single pictures: nine dimensions of perception, four options",
    files=f"{FILE} beside {IMAGES}/, or the folder of both",
    hub="lmms-lab/SEED-Bench",
    origin="https://huggingface.co/datasets/AILab-CVC/SEED-Bench",
    licence="CC BY-NC 4.0; pictures of CC3M",
    counts={OVERALL: 14233},
    scorings=(
        "likelihood", "letter_llava", "letter_vlmevalkit", "letter", "letter_cyclic", "string",
    ),
    read=read,
    read_rows=read_rows,
    recorded=recorded,
)  # fmt: skip
