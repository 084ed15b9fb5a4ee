"""DocVQA's validation questions: what a scanned page says."""

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
from seal.metrics.anls import docvqa_anls
from seal.metrics.vicrop_scores import docvqa_credit

KEYS = ("questionId", "question", "answers")
TYPES = "question_types"  # in `meta`: what has to be read; several for some questions


def read(path: Path) -> Read:
    """val_v1.0_withQT.json or val_v1.0.json, its list under `data`, with documents/."""
    file = only_file(path, "val_v1.0_withQT.json", "val_v1.0.json", "val*.json")
    places = ImagePlaces(file.parent, ("val", "spdocvqa_images", "images"))
    rows = read_json_list(file, under="data")
    rows.need(*KEYS, "image")
    ids = Ids()
    questions = []
    for index in range(len(rows)):
        entry = RowEntry(rows, index)
        image = places.name(entry.text("image"))  # documents/NAME_PAGE.png
        questions.append(_question(entry, ids, image))
    return questions, places.images()


def read_rows(rows: Rows) -> Read:
    """The hub's rows; a page is named by its document and its number in it."""
    rows.need(*KEYS, "ucsf_document_id", "ucsf_document_page_no", "image")
    ids = Ids()
    cells: dict[str, tuple[int, str]] = {}
    questions = []
    for index in range(len(rows)):
        entry = RowEntry(rows, index)
        page = f"{entry.text('ucsf_document_id')}_{entry.text('ucsf_document_page_no')}.png"
        cells.setdefault(page, (index, "image"))
        questions.append(_question(entry, ids, page))
    return questions, row_images(rows, cells)


def _question(entry: RowEntry, ids: Ids, image: str) -> TaskQuestion:
    types = entry.content.get(TYPES) or []
    if not isinstance(types, list) or not all(isinstance(one, str) and one for one in types):
        raise entry.wrong(TYPES, types, "a list of texts")
    return TaskQuestion(
        id=ids.new(entry, "questionId", entry.text("questionId")),
        text=entry.text("question"),
        image=image,
        labels=labels_in(entry, "answers"),
        meta={TYPES: types} if types else {},
    )


def splits_of(question: TaskQuestion) -> tuple[str, ...]:
    """All that has to be read; and overall."""
    return (*dict.fromkeys(question.meta.get(TYPES, ())), OVERALL)


SPEC = TaskSpec(
    name="docvqa",
    title="DocVQA, validation: what a scanned page says (ANLS)",
    files="val_v1.0_withQT.json or val_v1.0.json with documents/, or the folder of both",
    hub="lmms-lab/DocVQA:DocVQA:validation",
    origin="https://rrc.cvc.uab.es/?ch=17",
    licence="of the RRC portal, for research; pages of the UCSF Industry Documents Library",
    counts={OVERALL: 5349},
    scorings=IN_WORDS,
    read=read,
    read_rows=read_rows,
    judge=judge_words(docvqa_anls, vicrop=docvqa_credit),
    splits_of=splits_of,
)
