"""GQA's test-dev questions: what is where in a scene, answered in a word or two."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seal.evaluation.judged import OVERALL
from seal.evaluation.sources.arrow_rows import read_parquet
from seal.evaluation.sources.hub import PREFIX, HubSource, read_hub
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.answers_in_words import IN_WORDS, judge_words
from seal.evaluation.tasks.entries import Entry
from seal.evaluation.tasks.files import only_file
from seal.evaluation.tasks.image_places import ImagePlaces
from seal.evaluation.tasks.named_entries import named_entry, read_named
from seal.evaluation.tasks.row_entry import Ids, RowEntry
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.metrics.exact_match import exact_match
from seal.metrics.vicrop_scores import gqa_credit
from seal.text.quote import quoted

KEYS = ("question", "imageId", "answer")
# The hub keeps questions and pictures of a split in two configurations.
_QUESTIONS, _PICTURES = "_instructions", "_images"


def read(path: Path) -> Read:
    """testdev_balanced_questions.json, one object of questions by id, with images/.

    Questions that are not of the balanced part, of which the published accuracy is, are left out.

    Raises:
        ValueError: no such file, or a question that is not as it should be, named by its id.
    """
    file = only_file(path, "testdev_balanced_questions.json", "*_questions.json")
    places = ImagePlaces(file.parent, ("images", "../images"))
    questions = []
    for name, content in read_named(file).items():
        entry = named_entry(file, name, content, KEYS)
        if entry.content.get("isBalanced", True) is not False:
            image = places.name(f"{entry.text('imageId')}.jpg")
            questions.append(_question(entry, name, image))
    if not questions:
        raise ValueError(f"{file} has no balanced questions: expected testdev_balanced_questions")
    return questions, places.images()


def read_rows(rows: Rows) -> Read:
    """The hub's rows of questions; its pictures are another configuration's."""
    rows.need("id", *KEYS)
    ids = Ids()
    questions = []
    for index in range(len(rows)):
        entry = RowEntry(rows, index)
        name = ids.new(entry, "id", entry.text("id"))
        questions.append(_question(entry, name, entry.text("imageId")))
    pictures = _pictures_of(rows)
    cells = {str(row["id"]): (index, "image") for index, row in enumerate(pictures)}
    return questions, row_images(pictures, cells)


def _pictures_of(rows: Rows) -> Rows:
    if rows.name.startswith(PREFIX):
        source = HubSource.parse(rows.name)
        config = str(source.config).removesuffix(_QUESTIONS) + _PICTURES
        found: Rows = read_hub(HubSource(source.id, source.revision, config, source.split))
    else:
        folder = Path(rows.name)
        folder = folder if folder.is_dir() else folder.parent
        if folder.name.endswith(_QUESTIONS):  # the folder of the questions alone
            folder = folder.with_name(folder.name.removesuffix(_QUESTIONS) + _PICTURES)
        configs = {file.parent.name for file in folder.rglob("*.parquet")}
        pictures = sorted(name for name in configs if name.endswith(_PICTURES))
        if len(pictures) != 1:
            raise ValueError(
                f"{folder} has {', '.join(pictures) or 'no folder'} of pictures: expected one, "
                f"testdev_balanced{_PICTURES}, beside that of the questions"
            )
        found = read_parquet(folder, config=pictures[0])
    found.need("id", "image")
    return found


def _question(entry: Entry, name: str, image: str) -> TaskQuestion:
    return TaskQuestion(
        id=name,
        text=entry.text("question"),
        image=image,
        split=_kind(entry),
        labels=(entry.text("answer"),),
    )


def _kind(entry: Entry) -> str:
    """As GQA's eval.py divides: what is asked openly, and what is a yes or no or a choice."""
    types: Any = entry.content.get("types")
    if not isinstance(types, Mapping):
        return ""
    structural = types.get("structural")
    if not isinstance(structural, str):
        raise entry.wrong("types.structural", structural, f"a text, not {quoted(structural)}")
    return "open" if structural == "query" else "binary"


SPEC = TaskSpec(
    name="gqa",
    title="GQA test-dev, balanced: what is where in a scene, in a word or two",
    files="testdev_balanced_questions.json with images/, or the folder of both",
    hub="lmms-lab/GQA:testdev_balanced_instructions:testdev",
    origin="https://cs.stanford.edu/people/dorarad/gqa",
    licence="CC BY 4.0; pictures of Visual Genome",
    counts={OVERALL: 12578},
    scorings=IN_WORDS,
    read=read,
    read_rows=read_rows,
    judge=judge_words(exact_match, vicrop=gqa_credit),
)
