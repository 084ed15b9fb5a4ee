"""VQAv2's validation questions: anything about a photograph of COCO, by ten annotators."""

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
from seal.evaluation.tasks.labels import annotators_in
from seal.evaluation.tasks.row_entry import Ids, RowEntry
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.metrics.vicrop_scores import vqa_credit
from seal.metrics.vqa_accuracy import vqa_accuracy

QUESTIONS = "v2_OpenEnded_mscoco_val2014_questions.json"
ANNOTATIONS = "v2_mscoco_val2014_annotations.json"
KINDS = ("yes/no", "number", "other")  # answer_type, by which VQA's evaluation divides


def read(path: Path) -> Read:
    """The two official files beside each other, with val2014/.

    Raises:
        ValueError: one is missing; a question without annotation, or the other way round; a row
            that is not as it should be. Named by file and entry.
    """
    folder = path.parent if path.is_file() else path
    asked = read_json_list(
        only_file(folder, QUESTIONS, "*OpenEnded*val*questions.json"), under="questions"
    )
    told = read_json_list(only_file(folder, ANNOTATIONS, "*val*annotations.json"), "annotations")
    asked.need("question_id", "image_id", "question")
    told.need("question_id", "image_id", "answers", "answer_type")
    places = ImagePlaces(folder, ("val2014", "images", "coco/val2014"))
    ids = Ids()
    annotated: dict[str, RowEntry] = {}
    for index in range(len(told)):
        entry = RowEntry(told, index)
        annotated[ids.new(entry, "question_id", entry.text("question_id"))] = entry
    questions = []
    once = Ids()
    for index in range(len(asked)):
        entry = RowEntry(asked, index)
        name = once.new(entry, "question_id", entry.text("question_id"))
        if name not in annotated:
            raise entry.wrong("question_id", name, f"a question with labels in {told.name}")
        labels = annotated.pop(name)
        if labels.number("image_id") != entry.number("image_id"):
            raise labels.wrong(
                "image_id",
                labels.content["image_id"],
                f"{entry.text('image_id')}, as {entry.where}",
            )
        image = places.name(f"COCO_val2014_{entry.number('image_id'):012d}.jpg")
        questions.append(_question(name, entry, labels, image))
    if annotated:
        lost = next(iter(annotated.values()))
        raise lost.wrong("question_id", lost.text("question_id"), f"a question of {asked.name}")
    return questions, places.images()


def read_rows(rows: Rows) -> Read:
    """The hub's rows, questions and labels together."""
    rows.need("question_id", "image_id", "question", "answers", "answer_type", "image")
    ids = Ids()
    cells: dict[str, tuple[int, str]] = {}
    questions = []
    for index in range(len(rows)):
        entry = RowEntry(rows, index)
        image = f"COCO_val2014_{entry.number('image_id'):012d}.jpg"
        cells.setdefault(image, (index, "image"))
        name = ids.new(entry, "question_id", entry.text("question_id"))
        questions.append(_question(name, entry, entry, image))
    return questions, row_images(rows, cells)


def _question(name: str, entry: RowEntry, labels: RowEntry, image: str) -> TaskQuestion:
    return TaskQuestion(
        id=name,
        text=entry.text("question"),
        image=image,
        split=labels.one_of("answer_type", KINDS),
        labels=annotators_in(labels, "answers"),
    )


SPEC = TaskSpec(
    name="vqav2",
    title="VQAv2, validation: anything about a photograph, by ten annotators",
    files=f"the folder of {QUESTIONS} and {ANNOTATIONS} with val2014/",
    hub="lmms-lab/VQAv2::validation",
    origin="https://visualqa.org/download.html",
    licence="CC BY 4.0; photographs of COCO",
    counts={OVERALL: 214354},
    scorings=IN_WORDS,
    read=read,
    read_rows=read_rows,
    judge=judge_words(vqa_accuracy, vicrop=vqa_credit),
)
