"""ScienceQA's test questions that have a picture: school science, two options or more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seal.evaluation.judged import OVERALL
from seal.evaluation.scorings.file_order import SHUFFLED
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.entries import Entry
from seal.evaluation.tasks.files import only_file
from seal.evaluation.tasks.image_places import ImagePlaces
from seal.evaluation.tasks.labels import listed_options, right_place
from seal.evaluation.tasks.named_entries import named_entry, read_named
from seal.evaluation.tasks.row_entry import RowEntry
from seal.evaluation.tasks.spec import Read, TaskSpec

PROBLEMS, SPLITS = "problems.json", "pid_splits.json"
KEYS = ("question", "choices", "answer", "hint", "subject", "grade")
SUBJECTS = ("natural science", "social science", "language science")


def read(path: Path) -> Read:
    """problems.json beside pid_splits.json, with test/NUMBER/image.png (or in images/).

    Raises:
        ValueError: one is missing; a number of the test part that is no problem; a problem that is
            not as it should be, named by its number.
    """
    folder = path.parent if path.is_file() else path
    file = only_file(folder, PROBLEMS)
    problems = read_named(file)
    splits = read_named(only_file(folder, SPLITS))
    listed: Any = splits.get("test")
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ValueError(f"{folder / SPLITS}: test must be a list of the numbers of problems")
    places = ImagePlaces(folder, ("images",))
    questions = []
    for name in dict.fromkeys(listed):
        if name not in problems:
            raise ValueError(f"{folder / SPLITS}: test has {name}, which is none of {file}")
        entry = named_entry(file, name, problems[name], (*KEYS, "image"))
        if entry.content["image"]:
            inside = f"test/{name}/{entry.text('image')}"
            image = inside if (folder / inside).is_file() else places.name(inside)
            questions.append(_question(entry, name, image))
    if not questions:
        raise ValueError(f"{file}: no problem of the test part has a picture")
    return questions, places.images()


def read_rows(rows: Rows) -> Read:
    """The hub's rows, which tell no numbers: a question is called by its row, from 0."""
    rows.need(*KEYS, "image")
    cells: dict[str, tuple[int, str]] = {}
    questions = []
    for index in range(len(rows)):
        if rows[index]["image"] is None:  # of the whole set, of which half is text alone
            continue
        name = str(index)
        cells[name] = (index, "image")
        questions.append(_question(RowEntry(rows, index), name, name))
    return questions, row_images(rows, cells)


def _question(entry: Entry, name: str, image: str) -> TaskQuestion:
    options = listed_options(entry, "choices")
    hint, subject = entry.content["hint"], entry.text("subject")
    if hint is not None and not isinstance(hint, str):
        raise entry.wrong("hint", hint, "a text")
    if subject not in SUBJECTS:
        raise entry.wrong("subject", subject, f"one of {', '.join(SUBJECTS)}")
    text = entry.text("question")
    context = f"Context: {hint.strip()}\n" if hint and hint.strip() else ""
    return TaskQuestion(
        id=name,
        text=context + text,
        image=image,
        options=options,
        answer=right_place(entry, "answer", len(options)),
        split=subject,
        meta={"question": text, "grade": entry.text("grade"), SHUFFLED: True},
    )


SPEC = TaskSpec(
    name="scienceqa",
    title="ScienceQA, test, the questions with a picture: school science",
    files=f"the folder of {PROBLEMS} and {SPLITS} with the pictures in test/ or images/test/",
    hub="lmms-lab/ScienceQA:ScienceQA-IMG:test",
    origin="https://scienceqa.github.io",
    licence="CC BY-NC-SA 4.0",
    counts={OVERALL: 2017},
    scorings=("letter_llava", "likelihood", "letter", "letter_cyclic", "string"),
    read=read,
    read_rows=read_rows,
)
