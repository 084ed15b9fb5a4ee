"""ChartQA's test questions: numbers and words that are read off a chart."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from seal.evaluation.judged import OVERALL
from seal.evaluation.sources.json_rows import read_json_list
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.answers_in_words import IN_WORDS, VICROP, judge_words
from seal.evaluation.tasks.files import only_file
from seal.evaluation.tasks.image_places import ImagePlaces
from seal.evaluation.tasks.row_entry import RowEntry
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.metrics.relaxed_accuracy import relaxed_accuracy

KINDS = ("human", "augmented")  # who asked: people, or a program from summaries of people
_FILES = {kind: f"test_{kind}.json" for kind in KINDS}
_TYPES = {f"{kind}_test": kind for kind in KINDS}  # as the hub calls them


def read(path: Path) -> Read:
    """test_human.json and test_augmented.json, each a list, with png/."""
    folder = path.parent if path.is_file() else path
    places = ImagePlaces(folder, ("png", "images"))
    questions = []
    for kind, name in _FILES.items():
        rows = read_json_list(only_file(folder, name), under="data")
        rows.need("imgname", "query", "label")
        for index in range(len(rows)):
            entry = RowEntry(rows, index)
            image = places.name(entry.text("imgname"))
            questions.append(_question(entry, f"{kind}/{index}", kind, "query", "label", image))
    return questions, places.images()


def read_rows(rows: Rows) -> Read:
    """The hub's rows; a question is called by its place among those of its kind."""
    rows.need("type", "question", "answer", "image")
    counted: Counter[str] = Counter()
    cells: dict[str, tuple[int, str]] = {}
    questions = []
    for index in range(len(rows)):
        entry = RowEntry(rows, index)
        kind = _TYPES[entry.one_of("type", tuple(_TYPES))]
        name = f"{kind}/{counted[kind]}"
        counted[kind] += 1
        cells[name] = (index, "image")
        questions.append(_question(entry, name, kind, "question", "answer", name))
    return questions, row_images(rows, cells)


def _question(
    entry: RowEntry, name: str, kind: str, text: str, label: str, image: str
) -> TaskQuestion:
    return TaskQuestion(
        id=name, text=entry.text(text), image=image, split=kind, labels=(entry.text(label),)
    )


SPEC = TaskSpec(
    name="chartqa",
    title="ChartQA, test: what a chart shows, numbers within 5% (relaxed accuracy)",
    files="the folder of test_human.json and test_augmented.json with png/",
    hub="lmms-lab/ChartQA::test",
    origin="https://github.com/vis-nlp/ChartQA",
    licence="GPL-3.0; charts of their websites",
    counts={"human": 1250, "augmented": 1250, OVERALL: 2500},
    scorings=tuple(way for way in IN_WORDS if way != VICROP),
    read=read,
    read_rows=read_rows,
    judge=judge_words(relaxed_accuracy),
)
