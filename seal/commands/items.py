"""What `ask` and `locate` are asked about: the pictures of a folder, or the lines of a file."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seal.text.quote import quoted

PICTURES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".ppm", ".pgm"),
)
_SHARED = ("id", "image")
# Those behind `targets` judge an answer (`eval/benchmark task=own` reads them) and are passed over.
_KEYS = {
    "question": ("options", "targets", "answer", "answers", "category", "meta"),
    "target": ("boxes", "category", "meta"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question or target, and its picture."""

    id: str  # its own name; else the picture's, or its line's number
    image: str | None  # as it was given
    path: Path | None  # the same, from where we are
    text: str  # the question, or the target
    options: tuple[str, ...] = ()
    targets: tuple[str, ...] | None = None  # to search for; None: what the first answer lacks
    where: str = ""  # FILE:LINE, for messages


def is_many(image: str) -> bool:
    """Whether this names several pictures: a folder or a .jsonl file."""
    return os.path.isdir(image) or Path(image).suffix.lower() == ".jsonl"


def read_items(
    image: str,
    text: str | None,
    *,
    key: str,
    options: tuple[str, ...] = (),
    targets: tuple[str, ...] | None = None,
) -> list[Item]:
    """The pictures of a folder, all with the same `text`, or the lines of a file.

    Args:
        key: of the text in a line: "question" or "target".

    Raises:
        ValueError: there is no picture, a line is none, or the text is missing or said twice.
    """
    path = Path(image)
    if os.path.isdir(image):
        if text is None:
            raise ValueError(f"{image} is a folder: say the {key} too, for all of its pictures")
        found = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in PICTURES
            and not file.name.startswith(".")
            and (os.path.isfile(file) or not os.path.exists(file))  # a broken link is told later
        )
        if not found:
            raise ValueError(f"{image} holds no picture ({', '.join(PICTURES)})")
        return [
            Item(
                id=str(file.relative_to(path)), image=str(file), path=file, text=text,
                options=options, targets=targets,
            )
            for file in found
        ]  # fmt: skip
    if text is not None or options or targets:
        raise ValueError(
            f"each line of {image} says its own {key}: drop what is said on the command line"
        )
    items = [_item(path, number, line, key) for number, line in _lines(path)]
    if not items:
        raise ValueError(f'{image} is empty; a line is {{"image": "photo.jpg", "{key}": "..."}}')
    numbers: dict[str, str] = {}
    for item in items:
        if item.id in numbers:
            raise ValueError(f"{item.where}: id {quoted(item.id)} is that of {numbers[item.id]}")
        numbers[item.id] = item.where
    return items


def checked(items: list[Item], check: Callable[[Item], object]) -> None:
    """Run `check` on each; what it refuses is told with its line.

    Raises:
        ValueError: see above.
    """
    for item in items:
        try:
            check(item)
        except ValueError as error:
            raise ValueError(f"{item.where}: {error}" if item.where else str(error)) from error


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    from seal.evaluation.store import json_line, numbered_lines

    try:
        for number, line in numbered_lines(path):
            yield number, json_line(path, number, line)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error


def _item(path: Path, number: int, line: dict[str, Any], key: str) -> Item:
    where = f"{path}:{number}"
    known = (*_SHARED, key, *_KEYS[key])
    for name in line:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            told = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise ValueError(f"{where}: unknown key {quoted(name)}; {told}")
    text, image = line.get(key), line.get("image")
    if not isinstance(text, str):
        raise ValueError(f'{where}: "{key}" is a text that each line needs, not {quoted(text)}')
    if image is None and key == "target":
        raise ValueError(f'{where}: "image" is missing: the picture to search')
    if image is not None and not isinstance(image, str):
        raise ValueError(f'{where}: "image" is the path of a picture, not {quoted(image)}')
    return Item(
        id=str(line.get("id", number)),
        image=image,
        path=None if image is None else path.parent / image,
        text=text,
        options=_texts(where, "options", line.get("options")) or (),
        targets=_texts(where, "targets", line.get("targets")) or None,
        where=where,
    )


def _texts(where: str, name: str, value: Any) -> tuple[str, ...]:
    """Texts alone: a benchmark's targets, with their boxes, are what its answers are judged by."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ValueError(f'{where}: "{name}" is a list of texts, not {quoted(value)}')
    if name == "targets" and all(isinstance(each, dict) for each in value):
        return ()
    if not all(isinstance(each, str) for each in value):
        raise ValueError(f'{where}: "{name}" is a list of texts, not {quoted(value)}')
    return tuple(value)
