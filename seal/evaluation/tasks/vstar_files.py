"""Both file forms of V*Bench: folders of annotations beside images, and one JSONL file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seal.evaluation.scorings.file_order import SHUFFLED
from seal.evaluation.sources.rows import Rows
from seal.evaluation.task import AnnotatedTarget, TaskQuestion
from seal.evaluation.tasks.entries import Entry, image_beside, images_by_stem
from seal.files.plain_text import read_text
from seal.geometry import Box
from seal.images import image_file_size
from seal.text.letters import LETTERS

JSONL_FILE = "test_questions.jsonl"
FOLDER_KEYS = ("target_object", "bbox", "question", "options")
JSONL_KEYS = ("image", "text", "category", "label")


def read_questions(folder: Path, splits: Mapping[str, str]) -> list[TaskQuestion]:
    """All questions of a folder, `splits` naming the sub-folders or categories to read.

    Raises:
        ValueError: no such folder, no question in it, or a file that is not as it should be.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: give the folder of V*Bench")
    if (folder / JSONL_FILE).is_file():
        questions = _read_jsonl(folder, splits)
    else:
        questions = [q for name in splits for q in _read_folder(folder, name, splits[name])]
    if not questions:
        raise ValueError(
            f"{folder} has no questions: expected {JSONL_FILE}, or *.json in {', '.join(splits)}"
        )
    return questions


def _read_folder(folder: Path, name: str, split: str) -> list[TaskQuestion]:
    # The names are the benchmark's own: sorted they are the same on every machine. What macOS puts
    # beside a file it copies (`._name`) is no annotation.
    paths = sorted(p for p in (folder / name).glob("*.json") if not p.name.startswith("._"))
    images = images_by_stem(folder / name)
    return [_read_annotation(folder, path, split, image_beside(path, images)) for path in paths]


def _read_annotation(folder: Path, path: Path, split: str, image: Path | None) -> TaskQuestion:
    entry = Entry.parse(path, read_text(path), FOLDER_KEYS)
    names, boxes = entry.texts("target_object"), entry.items("bbox")
    meta = entry.content.get("meta", {})  # not in the official files
    if not isinstance(meta, dict):
        raise entry.wrong("meta", meta, "an object")
    groups = meta.get("groups", [""] * len(names))
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise entry.wrong("meta.groups", groups, "a list of texts")
    if not len(names) == len(boxes) == len(groups):
        raise ValueError(
            f"{path}: {len(names)} target_object, {len(boxes)} bbox and {len(groups)} "
            "meta.groups must be as many"
        )
    size = None if image is None else _size(image)
    return TaskQuestion(
        id=path.relative_to(folder).with_name(path.stem).as_posix(),
        text=entry.text("question"),
        # Where it is missing, what it is called in the official files.
        image=(image or path.with_suffix(".jpg")).relative_to(folder).as_posix(),
        options=entry.options("options"),
        answer=0,  # the true option comes first in the files
        split=split,
        targets=tuple(
            AnnotatedTarget(name, _boxes(entry, box, size), group)
            for name, box, group in zip(names, boxes, groups, strict=True)
        ),
        meta=meta,
    )


def _size(image: Path) -> tuple[int, int] | None:
    """Width and height; None: it does not open, which its question will say when it is asked."""
    try:
        return image_file_size(image)
    except ValueError:
        return None


def _boxes(entry: Entry, xywh: Any, size: tuple[int, int] | None) -> tuple[Box, ...]:
    """One box; none (`null`) for a target that is not in the image, unknown to official files."""
    if xywh is None:
        return ()
    box = Box.from_xywh(*entry.box_numbers("bbox", xywh))
    if size is not None and not (box.x0 < size[0] and box.y0 < size[1] and box.x1 > 0 < box.y1):
        raise entry.wrong("bbox", xywh, f"a box inside the image, {size[0]} x {size[1]} pixels")
    return (box,)


def _read_jsonl(folder: Path, splits: Mapping[str, str]) -> list[TaskQuestion]:
    """The form with options inside the text and the letter of the true one as the label."""
    path = folder / JSONL_FILE
    questions: dict[str, TaskQuestion] = {}
    # Not `splitlines`: it also splits at U+2028 and the like, which may stand inside a string.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        entry = Entry.parse(f"{path}:{number}", line, JSONL_KEYS)
        _add(questions, entry, splits, number - 1, image=entry.text("image"))
    return list(questions.values())


def read_rows(rows: Rows, splits: Mapping[str, str]) -> list[TaskQuestion]:
    """The same out of a table whose `image` holds the picture; it is named after the question."""
    rows.need(*JSONL_KEYS)
    questions: dict[str, TaskQuestion] = {}
    told = [column for column in (*JSONL_KEYS, "question_id") if column != "image"]
    for index in range(len(rows)):
        row = rows[index]
        entry = Entry(rows.where(index), {key: row[key] for key in told if key in rows.columns})
        _add(questions, entry, splits, index)
    return list(questions.values())


def _add(
    questions: dict[str, TaskQuestion],
    entry: Entry,
    splits: Mapping[str, str],
    number: int,
    image: str | None = None,
) -> None:
    """One entry of the JSONL form, which `number` names where nothing else does.

    image: what the picture is called; None: as the question is.
    """
    category = entry.text("category")
    if category not in splits:
        raise entry.wrong("category", category, f"one of {', '.join(splits)}")
    text, options = _split_options(entry)
    letter = str(entry.content["label"]).strip("() ")
    label = LETTERS.find(letter) if len(letter) == 1 else -1
    if not 0 <= label < len(options):
        raise entry.wrong("label", entry.content["label"], "the letter of an option")
    given = entry.content.get("question_id", number)
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise entry.wrong("question_id", given, "a number or a text")
    name = str(given)
    if name in questions:
        raise entry.wrong("question_id", name, "an id that no other question has")
    questions[name] = TaskQuestion(
        id=name,
        text=text,
        image=image or name,
        options=Entry(entry.where, {"options": options}).options("options"),
        answer=label,
        split=splits[category],
        meta={SHUFFLED: True},
    )


def _split_options(entry: Entry) -> tuple[str, list[str]]:
    """`question (newline) (A) first (newline) (B) second ...` -> the question, the options."""
    text = entry.text("text")
    parts = re.split(r"\n\s*\(([A-Z])\)\s*", text)
    letters, options = parts[1::2], parts[2::2]
    if not letters or letters != list(LETTERS[: len(letters)]) or not parts[0].strip():
        raise entry.wrong("text", text, "a question and options (A), (B), ... each on a line")
    options[-1] = options[-1].split("\n")[0]  # behind the last one stands how to answer
    return parts[0].strip(), [option.strip() for option in options]
