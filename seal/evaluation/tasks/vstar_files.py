"""Both file forms of V*Bench: folders of annotations beside images, and one JSONL file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seal.evaluation.judging import LETTERS
from seal.evaluation.store import numbered_lines
from seal.evaluation.task import AnnotatedTarget, TaskQuestion
from seal.geometry import Box

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".JPG", ".JPEG", ".PNG")
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


def check_images(folder: Path, questions: Sequence[TaskQuestion]) -> None:
    """Refuse to begin when images are missing: half a benchmark is another benchmark."""
    lost = [question.id for question in questions if question.image is None]
    if lost:
        raise ValueError(
            f"{folder}: {len(lost)} of {len(questions)} questions have no image, for example "
            f"{lost[0]} (looked for {' '.join(IMAGE_SUFFIXES[:4])})"
        )


def _read_folder(folder: Path, name: str, split: str) -> list[TaskQuestion]:
    # The names are the benchmark's own: sorted they are the same on every machine.
    return [
        _read_annotation(folder, path, split) for path in sorted((folder / name).glob("*.json"))
    ]


def _read_annotation(folder: Path, path: Path, split: str) -> TaskQuestion:
    content = _load(path, path.read_text(encoding="utf-8"), FOLDER_KEYS)
    names, boxes = content["target_object"], content["bbox"]
    meta = content.get("meta", {})  # not in the official files
    groups = meta.get("groups", [""] * len(names))
    if not len(names) == len(boxes) == len(groups):
        raise ValueError(
            f"{path}: {len(names)} target_object, {len(boxes)} bbox and {len(groups)} "
            "meta.groups must be as many"
        )
    return TaskQuestion(
        id=path.relative_to(folder).with_name(path.stem).as_posix(),
        text=content["question"],
        image=_image_beside(folder, path),
        options=_checked_options(content["options"], path),
        answer=0,  # the true option comes first in the files
        split=split,
        targets=tuple(
            AnnotatedTarget(name, _boxes(box, path), group)
            for name, box, group in zip(names, boxes, groups, strict=True)
        ),
        meta=meta,
    )


def _image_beside(folder: Path, annotation: Path) -> str | None:
    for suffix in IMAGE_SUFFIXES:
        path = annotation.with_name(annotation.stem + suffix)  # a stem may hold a dot
        if path.is_file():
            return path.relative_to(folder).as_posix()
    return None


def _boxes(xywh: list[float] | None, path: Path) -> tuple[Box, ...]:
    """One box; none (`null`) for a target that is not in the image, unknown to official files."""
    if xywh is None:
        return ()
    if len(xywh) != 4 or xywh[2] <= 0 or xywh[3] <= 0:
        raise ValueError(f"{path}: a bbox is [x, y, width, height] of some size, got {xywh}")
    return (Box.from_xywh(*xywh),)


def _read_jsonl(folder: Path, splits: Mapping[str, str]) -> list[TaskQuestion]:
    """The form with options inside the text and the letter of the true one as the label."""
    path = folder / JSONL_FILE
    questions = []
    for number, line in numbered_lines(path):
        where = f"{path}:{number}"
        content = _load(where, line, JSONL_KEYS)
        if content["category"] not in splits:
            raise ValueError(
                f"{where}: category {content['category']!r} is none of {', '.join(splits)}"
            )
        text, options = _split_options(content["text"], where)
        label = LETTERS.find(str(content["label"]).strip("() "))
        if not 0 <= label < len(options):
            raise ValueError(f"{where}: label {content['label']!r} is no option's letter")
        exists = (folder / content["image"]).is_file()
        questions.append(
            TaskQuestion(
                id=str(content.get("question_id", number - 1)),
                text=text,
                image=content["image"] if exists else None,
                options=_checked_options(options, where),
                answer=label,
                split=splits[content["category"]],
            )
        )
    return questions


def _split_options(text: str, where: str) -> tuple[str, list[str]]:
    """`question (newline) (A) first (newline) (B) second ...` -> the question, the options."""
    parts = re.split(r"\n\s*\(([A-Z])\)\s*", text)
    letters, options = parts[1::2], parts[2::2]
    if not letters or letters != list(LETTERS[: len(letters)]):
        raise ValueError(f"{where}: expected options (A), (B), ... each on a line, got {text!r}")
    options[-1] = options[-1].split("\n")[0]  # behind the last one stands how to answer
    return parts[0].strip(), [option.strip() for option in options]


def _checked_options(options: Sequence[str], where: Path | str) -> tuple[str, ...]:
    if len(options) < 2 or len(set(options)) != len(options):
        raise ValueError(f"{where}: expected two or more different options, got {list(options)}")
    return tuple(options)


def _load(where: Path | str, text: str, keys: Sequence[str]) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} is not JSON: {error}") from error
    missing = [key for key in keys if key not in content]
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}")
    return content
