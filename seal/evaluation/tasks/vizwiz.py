"""VizWiz-VQA's validation questions: what blind people asked about their own photographs."""

from __future__ import annotations

from pathlib import Path

from seal.evaluation.judged import OVERALL
from seal.evaluation.sources.json_rows import read_json_list
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.answers_in_words import judge_words
from seal.evaluation.tasks.files import only_file
from seal.evaluation.tasks.image_places import ImagePlaces
from seal.evaluation.tasks.labels import annotators_in, labels_in
from seal.evaluation.tasks.row_entry import Ids, RowEntry
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.metrics.vqa_accuracy import vqa_accuracy

KINDS = ("yes/no", "number", "other", "unanswerable")  # answer_type


def read(path: Path) -> Read:
    """val.json, a list, with val/; a question is called as its photograph, without .jpg."""
    file = only_file(path, "val.json", "*val*.json")
    places = ImagePlaces(file.parent, ("val", "images", "../val", "../images/val"))
    rows = read_json_list(file)
    rows.need("image", "question", "answers", "answer_type")
    ids = Ids()
    questions = []
    for index in range(len(rows)):
        entry = RowEntry(rows, index)
        image = entry.text("image")
        name = ids.new(entry, "image", image.rpartition(".")[0] or image)
        questions.append(
            TaskQuestion(
                id=name,
                text=entry.text("question"),
                image=places.name(image),
                split=entry.one_of("answer_type", KINDS),
                labels=annotators_in(entry, "answers"),
            )
        )
    return questions, places.images()


def read_rows(rows: Rows) -> Read:
    """The hub's rows, where an answer's type is its `category`."""
    rows.need("question_id", "question", "answers", "category", "image")
    ids = Ids()
    cells: dict[str, tuple[int, str]] = {}
    questions = []
    for index in range(len(rows)):
        entry = RowEntry(rows, index)
        name = ids.new(entry, "question_id", entry.text("question_id"))
        cells[name] = (index, "image")
        questions.append(
            TaskQuestion(
                id=name,
                text=entry.text("question"),
                image=name,
                split=entry.one_of("category", KINDS),
                labels=labels_in(entry, "answers"),
            )
        )
    return questions, row_images(rows, cells)


SPEC = TaskSpec(
    name="vizwiz",
    title="VizWiz-VQA, validation: what blind people asked of their photographs",
    files="val.json with val/, or the folder of both",
    hub="lmms-lab/VizWiz-VQA::val",
    origin="https://vizwiz.org/tasks-and-datasets/vqa",
    licence="CC BY 4.0",
    counts={OVERALL: 4319},
    scorings=("short_or_unanswerable", "short_answer", "free"),
    read=read,
    read_rows=read_rows,
    judge=judge_words(vqa_accuracy),
)
