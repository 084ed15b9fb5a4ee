"""AI2D's test questions: what a diagram of a school book shows, four options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from seal.evaluation.benchmark_images import BytesImages
from seal.evaluation.judged import OVERALL
from seal.evaluation.scorings.file_order import SHUFFLED
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.ai2d_letters import lettered
from seal.evaluation.tasks.entries import Entry
from seal.evaluation.tasks.labels import listed_options, right_place
from seal.evaluation.tasks.named_entries import named_entry, read_named
from seal.evaluation.tasks.row_entry import Ids, RowEntry
from seal.evaluation.tasks.spec import Read, TaskSpec
from seal.files.plain_text import read_text

TEST_IDS = "ai2d_test_ids.csv"
LABELS, LETTERS = "labels", "letters"  # what stands in the diagram where its words do
_KEYS = ("questionId", "answerTexts", "correctAnswer", "abcLabel")


def read(path: Path) -> Read:
    """The folder of images/, questions/ and annotations/ with ai2d_test_ids.csv in it or beside it.

    Questions that ask for a letter see the diagram with letters in place of its words.

    Raises:
        ValueError: something of this is missing, or not as it should be; names the file.
    """
    folder = path if path.is_dir() else path.parent
    images: dict[str, partial[bytes]] = {}
    questions, ids = [], Ids()
    for diagram in _test_ids(folder):
        file = folder / "questions" / f"{diagram}.png.json"
        if not file.is_file():  # a diagram nobody asked anything about
            continue
        picture = folder / "images" / f"{diagram}.png"
        for entry, text in _entries(file):
            asked = entry.content["abcLabel"]
            if not isinstance(asked, bool):
                raise entry.wrong("abcLabel", asked, "true or false")
            shown, way = picture.name, partial(picture.read_bytes)
            if asked:
                shown = f"{picture.name}/{LETTERS}"
                way = partial(lettered, picture, folder / "annotations" / file.name)
            if picture.is_file():
                images[shown] = way
            name = ids.new(entry, "questionId", entry.text("questionId"))
            made = _question(entry, name, text, shown, "answerTexts", "correctAnswer")
            split = LETTERS if asked else LABELS
            questions.append(replace(made, split=split, picture=picture.name))
    if not questions:
        raise ValueError(f"{folder / 'questions'} has no question about a diagram of {TEST_IDS}")
    return questions, BytesImages(str(folder), images)


def _test_ids(folder: Path) -> list[str]:
    for place in (folder / TEST_IDS, folder.parent / TEST_IDS):
        if place.is_file():
            return list(dict.fromkeys(read_text(place).split()))
    raise ValueError(f"{folder} has no {TEST_IDS}, nor is it beside it: it says what is asked")


def _entries(file: Path) -> Iterator[tuple[Entry, str]]:
    """The questions of one diagram, which are called by their words."""
    content = read_named(file).get("questions")
    if not isinstance(content, dict):
        raise ValueError(f"{file}: questions must be an object, of questions by their words")
    for text, told in content.items():
        if not text.strip():
            raise ValueError(f"{file}: a question without words")
        yield named_entry(file, text, told, _KEYS), text


def read_rows(rows: Rows) -> Read:
    """The hub's rows, which tell no ids: a question is called by its row, from 0."""
    rows.need("question", "options", "answer", "image")
    cells: dict[str, tuple[int, str]] = {}
    questions = []
    for index in range(len(rows)):
        entry, name = RowEntry(rows, index), str(index)
        cells[name] = (index, "image")
        text = entry.text("question")
        questions.append(_question(entry, name, text, name, "options", "answer"))
    return questions, row_images(rows, cells)


def _question(
    entry: Entry, name: str, text: str, image: str, options: str, right: str
) -> TaskQuestion:
    listed = listed_options(entry, options)
    return TaskQuestion(
        id=name,
        text=text,
        image=image,
        options=listed,
        answer=right_place(entry, right, len(listed)),
        meta={SHUFFLED: True},
    )


SPEC = TaskSpec(
    name="ai2d",
    title="AI2D, test: what a diagram of a school book shows, four options",
    files=f"the folder of images/, questions/ and annotations/ with {TEST_IDS}",
    hub="lmms-lab/ai2d::test",
    origin="https://allenai.org/data/diagrams",
    licence="CC BY-SA 4.0",
    counts={OVERALL: 3088},
    scorings=("letter_llava", "likelihood", "letter", "letter_cyclic", "string"),
    read=read,
    read_rows=read_rows,
)
