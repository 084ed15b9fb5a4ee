"""TextVQA's validation questions: what is written in a photograph."""

from __future__ import annotations

from pathlib import Path

from seal.evaluation.judged import OVERALL
from seal.evaluation.sources.json_rows import read_json_list
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.answers_in_words import IN_WORDS, judge_words
from seal.evaluation.tasks.files import only_file
from seal.evaluation.tasks.image_places import ImagePlaces
from seal.evaluation.tasks.labels import labels_in
from seal.evaluation.tasks.row_entry import Ids, RowEntry
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.metrics.vicrop_scores import vqa_credit
from seal.metrics.vqa_accuracy import vqa_accuracy

KEYS = ("question_id", "question", "image_id", "answers")


def read(path: Path) -> Read:
    """TextVQA_0.5.1_val.json, its list under `data`, with train_images/."""
    file = only_file(path, "TextVQA_0.5.1_val.json", "TextVQA*_val.json")
    places = ImagePlaces(file.parent, ("train_images", "train_val_images/train_images", "images"))
    rows = read_json_list(file, under="data")
    rows.need(*KEYS)
    ids = Ids()
    questions = []
    for index in range(len(rows)):
        entry = RowEntry(rows, index)
        image = places.name(f"{entry.text('image_id')}.jpg")
        questions.append(_question(entry, ids, image))
    return questions, places.images()


def read_rows(rows: Rows) -> Read:
    """The hub's rows, which repeat a picture for each of its questions."""
    rows.need(*KEYS, "image")
    ids = Ids()
    cells: dict[str, tuple[int, str]] = {}
    questions = []
    for index in range(len(rows)):
        entry = RowEntry(rows, index)
        image = entry.text("image_id")
        cells.setdefault(image, (index, "image"))
        questions.append(_question(entry, ids, image))
    return questions, row_images(rows, cells)


def _question(entry: RowEntry, ids: Ids, image: str) -> TaskQuestion:
    return TaskQuestion(
        id=ids.new(entry, "question_id", entry.text("question_id")),
        text=entry.text("question"),
        image=image,
        labels=labels_in(entry, "answers"),
    )


SPEC = TaskSpec(
    name="textvqa",
    title="TextVQA, validation: what is written in a photograph, by ten annotators",
    files="TextVQA_0.5.1_val.json with train_images/, or the folder of both",
    hub="lmms-lab/textvqa::validation",
    origin="https://textvqa.org/dataset",
    licence="CC BY 4.0; photographs of Open Images",
    counts={OVERALL: 5000},
    scorings=IN_WORDS,
    read=read,
    read_rows=read_rows,
    judge=judge_words(vqa_accuracy, vicrop=vqa_credit),
)
