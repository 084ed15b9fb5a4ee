"""MME's questions: the release, the text tables of its eval_tool, and the hub's rows.

The release has a folder for each category: an image and NAME.txt (a question, TAB, Yes or No; two
lines) beside each other, or in images/ and questions_answers_YN/. Its eval_tool has a CATEGORY.txt
for each: image TAB question TAB answer, and TAB what a system said in files of results.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from seal.evaluation.benchmark_images import FolderImages
from seal.evaluation.scorings.words import SHORT, YES_OR_NO
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.entries import image_beside, images_by_stem
from seal.evaluation.tasks.row_entry import RowEntry
from seal.evaluation.tasks.spec import Read
from seal.files.plain_text import read_text
from seal.metrics.mme import CATEGORIES
from seal.text.quote import quoted

PAIR = "pair"  # in `meta`: both questions of an image have the same
# What the scoring puts: MME's own request, or what others put in its place.
_REQUEST = re.compile(rf"(?:\s*(?:{re.escape(YES_OR_NO)}|{re.escape(SHORT)}))+\s*$")


@dataclass(frozen=True, slots=True)
class MMELine:
    """One question of a file, as it stands there."""

    where: str
    category: str
    image: str
    question: str
    truth: str
    said: str | None = None


def read(path: Path) -> Read:
    """Category by category, files by name.

    Raises:
        ValueError: no such files; a line that is not as it should be; an image without its second
            question; each named.
    """
    if not path.is_dir():
        raise ValueError(f"{path} is not a folder: give that of MME's release, or of its texts")
    inside = path / "MME_Benchmark"
    folder = inside if inside.is_dir() else path
    lines = list(_of_release(folder)) or list(lines_of_texts(folder, answered=False))
    if not lines:
        raise ValueError(f"{path} has neither folders nor .txt files of {', '.join(CATEGORIES)}")
    return questions_of(lines), FolderImages(folder)


def read_rows(rows: Rows) -> Read:
    """The hub's rows: question_id (the image, in the folder of its category), question, answer,
    category, image.
    """
    keys = ("question_id", "question", "answer", "category")
    rows.need(*keys, "image")
    pictures: dict[str, tuple[int, str]] = {}
    lines = []
    for index in range(len(rows)):
        entry = RowEntry(rows, index)
        image, category = entry.text("question_id"), entry.one_of("category", CATEGORIES)
        pictures.setdefault(_named(category, image), (index, "image"))
        truth = _truth(str(entry.where), entry.text("answer"))
        lines.append(MMELine(str(entry.where), category, image, entry.text("question"), truth))
    return questions_of(lines), row_images(rows, pictures)


def as_asked(text: str) -> str:
    """A question without what is asked of its answer."""
    return _REQUEST.sub("", text).strip()


def _of_release(folder: Path) -> Iterator[MMELine]:
    for category in CATEGORIES:
        place = folder / category
        if not place.is_dir():
            continue
        split = (place / "questions_answers_YN").is_dir()
        texts = place / "questions_answers_YN" if split else place
        pictures = images_by_stem(place / "images" if split else place)
        files = sorted(texts.glob("*.txt"))
        if not files:
            raise ValueError(f"{texts} has no .txt files of questions")
        for file in files:
            if file.name.startswith("._"):  # macOS leaves such beside what it copies
                continue
            image = image_beside(file, pictures)
            name = file.name if image is None else image.relative_to(place).as_posix()
            for where, (question, truth) in _fields(file, 2):
                yield MMELine(where, category, name, question, _truth(where, truth))


def lines_of_texts(folder: Path, *, answered: bool) -> Iterator[MMELine]:
    """Of every CATEGORY.txt that is there; answered: with the fourth field."""
    for category in CATEGORIES:
        file = folder / f"{category}.txt"
        if not file.is_file():
            continue
        for where, fields in _fields(file, 4 if answered else 3):
            image, question, truth, *said = fields
            if not image.strip():
                raise ValueError(f"{where} names no image")
            yield MMELine(
                where, category, image, question, _truth(where, truth), said[0] if said else None
            )


def _fields(file: Path, count: int) -> Iterator[tuple[str, list[str]]]:
    """Where each line stands, and what is between its tabs."""
    # Not `splitlines`: it also splits at marks that may stand inside an answer.
    for number, line in enumerate(read_text(file).replace("\r\n", "\n").split("\n"), start=1):
        if not line.strip():
            continue
        fields = line.split("\t")
        if len(fields) != count:
            form = ("question", "answer") if count == 2 else ("image", "question", "answer", "said")
            raise ValueError(
                f"{file}:{number} has {len(fields)} fields: expected {count}, with tabs between "
                f"{', '.join(form[:count])}"
            )
        yield f"{file}:{number}", fields


def _truth(where: str, text: str) -> str:
    truth = text.strip().lower()
    if truth not in ("yes", "no"):
        raise ValueError(f"{where}: answer={quoted(text)}: expected Yes or No")
    return truth


def questions_of(lines: Sequence[MMELine]) -> list[TaskQuestion]:
    """As many, in the same order. Halves of a pair are two questions of one image."""
    halves: dict[str, list[int]] = {}
    for at, line in enumerate(lines):
        halves.setdefault(_named(line.category, line.image), []).append(at)
    questions: list[TaskQuestion | None] = [None] * len(lines)
    for image, places in halves.items():
        if len(places) % 2:
            raise ValueError(
                f"{lines[places[-1]].where}: {quoted(image)} has {len(places)} question"
                f"{'s' if len(places) > 1 else ''}: one half of a pair is missing"
            )
        for at, place in enumerate(places):
            line = lines[place]
            if not line.question.strip():
                raise ValueError(f"{line.where} has no question")
            pair = image if len(places) == 2 else f"{image}#{at // 2 + 1}"
            questions[place] = TaskQuestion(
                id=f"{image}#{at + 1}",
                text=as_asked(line.question),
                image=image,
                split=line.category,
                labels=(line.truth,),
                meta={PAIR: pair},
            )
    made = [question for question in questions if question is not None]
    _check_pairs(lines, made)
    return made


def _check_pairs(lines: Sequence[MMELine], questions: Sequence[TaskQuestion]) -> None:
    """The same question twice is no pair: what was asked second is missing."""
    seen: dict[tuple[str, str], str] = {}
    for line, question in zip(lines, questions, strict=True):
        key = (str(question.meta[PAIR]), question.text)
        if key in seen:
            raise ValueError(
                f"{line.where}: {quoted(question.text)} is asked of {quoted(question.image)} "
                f"already, by {seen[key]}: one half of a pair is missing"
            )
        seen[key] = line.where


def _named(category: str, image: str) -> str:
    return image if image.startswith(f"{category}/") else f"{category}/{image}"


def words_key(category: str, image: str, text: str) -> tuple[str, str, str]:
    """What tells a question in every form: folders and suffixes of images differ."""
    return category, PurePosixPath(image).stem, " ".join(text.split())
