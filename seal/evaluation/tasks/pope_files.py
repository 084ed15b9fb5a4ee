"""POPE's questions: its own files, LLaVA's question file beside them, and the hub's rows.

The files are JSON lines called .json (AoiDragon/POPE, output/coco/), one for each category, of
question_id, image, text and label. There are two editions: the one of today has 3000 questions in
each category, the older one, which LLaVA's numbers are of, 2910 in `random`. LLaVA's file
(llava_pope_test.jsonl: question_id, image, text, category; no labels) is of the older.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from seal.evaluation.scorings.words import SHORT, YES_OR_NO
from seal.evaluation.sources.json_rows import read_json_lines
from seal.evaluation.sources.pictures import row_images
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.entries import Entry
from seal.evaluation.tasks.image_places import ImagePlaces
from seal.evaluation.tasks.row_entry import Ids, RowEntry
from seal.evaluation.tasks.spec import Read
from seal.text.quote import quoted

CATEGORIES = ("random", "popular", "adversarial")
LLAVA_FILE = "llava_pope_test.jsonl"
_NAMED = re.compile(rf"(?P<set>.*?)pope_(?P<category>{'|'.join(CATEGORIES)})\.jsonl?")
_IMAGES = ("val2014", "images", "coco/val2014", "../val2014")
_SUFFIX = ".jpg"  # which the hub's image names lack


def read(path: Path) -> Read:
    """Category by category in the order of the files; in LLaVA's order where its file is there.

    Raises:
        ValueError: no such files, those of several data sets, or a row that is not as it should
            be, named by file and line.
    """
    folder = path.parent if path.is_file() else path
    files = [path] if path.is_file() else _label_files(path)
    places = ImagePlaces(folder, _IMAGES)
    questions = [question for file in files for question in _of_file(file, places)]
    llava = folder / LLAVA_FILE
    if path.is_dir() and llava.is_file():
        questions = _of_llava(llava, questions)
    return questions, places.images()


def read_rows(rows: Rows) -> Read:
    """The hub's rows: question_id, question, answer, image_source, image, category."""
    keys = ("question_id", "question", "answer", "image_source", "category")
    rows.need(*keys, "image")
    ids = Ids()
    questions: list[TaskQuestion] = []
    pictures: dict[str, tuple[int, str]] = {}
    for index in range(len(rows)):
        entry = RowEntry(rows, index)
        category = category_of(entry, "category")
        image = entry.text("image_source")
        image = image if image.endswith(_SUFFIX) else image + _SUFFIX
        pictures.setdefault(image, (index, "image"))
        question = _question(entry, category, image, "question", "answer", ids)
        questions.append(question)
    return questions, row_images(rows, pictures)


def category_of(entry: Entry, key: str) -> str:
    """
    Raises:
        ValueError: it is none of the three.
    """
    category = entry.text(key).strip().lower()
    if category not in CATEGORIES:
        raise entry.wrong(key, entry.content[key], f"one of {', '.join(CATEGORIES)}")
    return category


def label_of(entry: Entry, key: str) -> str:
    """
    Raises:
        ValueError: neither yes nor no.
    """
    label = entry.text(key).strip().lower()
    if label not in ("yes", "no"):
        raise entry.wrong(key, entry.content[key], "yes or no")
    return label


def as_asked(text: str) -> str:
    """A question without what is asked of its answer, and with the older edition's slip mended."""
    asked = text.partition("\n")[0].replace("in the imange?", "in the image?").strip()
    return asked.removesuffix(YES_OR_NO).removesuffix(SHORT).strip()


def category_in_name(name: str) -> str | None:
    """Of a file that is named as POPE's are."""
    found = _NAMED.fullmatch(name)
    return found["category"] if found else None


def _label_files(folder: Path) -> list[Path]:
    for place in (folder, folder / "coco", *sorted(p for p in folder.glob("*") if p.is_dir())):
        found = [file for file in place.glob("*") if _NAMED.fullmatch(file.name)]
        if not found:
            continue
        sets = sorted({str(_NAMED.fullmatch(file.name)["set"]) for file in found})  # type: ignore[index]
        if len(sets) > 1:
            raise ValueError(
                f"{place} has the questions of {', '.join(sets)}: name a folder with one of them"
            )
        order = {category: at for at, category in enumerate(CATEGORIES)}
        by_category = sorted(found, key=lambda file: order[str(category_in_name(file.name))])
        kinds = [category_in_name(file.name) for file in by_category]
        if len(set(kinds)) < len(kinds):
            raise ValueError(f"{place} has two files of a category: {', '.join(map(str, found))}")
        return by_category
    raise ValueError(f"{folder} has no coco_pope_random.json, _popular.json or _adversarial.json")


def _of_file(path: Path, places: ImagePlaces) -> list[TaskQuestion]:
    category = category_in_name(path.name)
    if category is None:
        raise ValueError(f"{path} is not called ..._pope_{'|'.join(CATEGORIES)}.json")
    ids = Ids()
    rows = read_json_lines(path)
    rows.need("question_id", "image", "text", "label")
    return [
        _question(entry, category, places.name(entry.text("image")), "text", "label", ids)
        for entry in (RowEntry(rows, index) for index in range(len(rows)))
    ]


def _question(
    entry: RowEntry, category: str, image: str, text: str, label: str, ids: Ids
) -> TaskQuestion:
    return TaskQuestion(
        id=ids.new(entry, "question_id", f"{category}/{entry.text('question_id')}"),
        text=entry.text(text),
        image=image,
        split=category,
        labels=(label_of(entry, label),),
    )


def _of_llava(path: Path, labelled: Sequence[TaskQuestion]) -> list[TaskQuestion]:
    """LLaVA's questions with the labels of the same question about the same image.

    Its id, which its answers are filed under, becomes `meta["question_id"]`.
    """
    known: dict[tuple[str, str, str], list[TaskQuestion]] = {}
    for question in labelled:
        known.setdefault(_key(question.split, str(question.image), question.text), []).append(
            question
        )
    ids = Ids()
    questions = []
    rows = read_json_lines(path)
    rows.need("question_id", "image", "text", "category")
    for entry in (RowEntry(rows, index) for index in range(len(rows))):
        category, text = category_of(entry, "category"), entry.text("text")
        of = known.get(_key(category, entry.text("image"), text))
        if not of:
            raise ValueError(
                f"{entry.where}: {quoted(as_asked(text))} of {entry.text('image')} is no question "
                f"of {category}, whose labels lie beside it: they may be of another edition"
            )
        own = ids.new(entry, "question_id", entry.text("question_id"))
        questions.append(replace(of.pop(0), meta={"question_id": own}))
    return questions


def _key(category: str, image: str, text: str) -> tuple[str, str, str]:
    return category, image.rpartition("/")[2], as_asked(text)
