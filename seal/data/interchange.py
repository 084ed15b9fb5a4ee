"""Read and write the authors' form of the VQA mixture: JSON lists of conversations with boxes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from seal.data.records import ASSISTANT, HUMAN, Message, Record, RecordTarget
from seal.geometry import Box
from seal.text.tokens import OBJECT_PLACEHOLDER

_SPEAKERS = {"human": HUMAN, "gpt": ASSISTANT}


def read_authors(
    path: str | Path, image_root: str | Path, *, source: str, license: str
) -> Iterator[Record]:
    """The records of one file of theirs; image sizes are read from the image files.

    Their `<object>`s are numbered anew in each turn: one that is named again in a later turn is
    shown again there.
    """
    path = Path(path)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(entries, list):
        raise ValueError(f"{path} must hold a list, got {type(entries).__name__}")
    for index, entry in enumerate(entries):
        try:
            yield from_authors(
                entry, image_root, name=f"{source}-{index}", source=source, license=license
            )
        except KeyError as error:
            raise ValueError(f"{path}: entry {index}: no key {error}") from error
        except ValueError as error:
            raise ValueError(f"{path}: entry {index}: {error}") from error


def to_authors(record: Record) -> dict[str, Any]:
    """One entry of their form. Expressions and `meta` have no place there."""
    entry: dict[str, Any] = {"id": record.id}
    if record.image is not None:
        entry["image"] = record.image
    theirs = {ours: name for name, ours in _SPEAKERS.items()}
    entry["conversations"] = [
        {"from": theirs[m.speaker], "value": m.value} for m in record.conversations
    ]
    if not record.targets:
        return entry
    turns_with_objects = sum(OBJECT_PLACEHOLDER in m.value for m in record.conversations)
    if turns_with_objects > 1:
        raise ValueError(
            f"record {record.id!r}: {OBJECT_PLACEHOLDER} in {turns_with_objects} turns; their form "
            "numbers objects anew in each turn and cannot say that"
        )
    entry["search"] = True
    entry["target_instances"] = [
        {"name": t.name, "bbox": [t.box.x0, t.box.y0, t.box.width, t.box.height]}
        for t in record.targets
    ]
    return entry


def from_authors(
    entry: dict[str, Any], image_root: str | Path, *, name: str, source: str, license: str
) -> Record:
    """One entry of theirs. `name` is the id of an entry that has none.

    Raises:
        ValueError: the entry breaks a rule of records, say by a box outside its image.
        KeyError: it lacks a key.
    """
    instances = entry.get("target_instances") or []
    image: str | None = entry.get("image")
    width, height = _image_size(Path(image_root) / image) if image else (0, 0)
    messages: list[Message] = []
    targets: list[RecordTarget] = []
    for message in entry["conversations"]:
        if message["from"] not in _SPEAKERS:
            raise ValueError(f"unknown speaker {message['from']!r}; known: {list(_SPEAKERS)}")
        messages.append(Message(_SPEAKERS[message["from"]], message["value"]))
        shown = message["value"].count(OBJECT_PLACEHOLDER)
        if shown > len(instances):
            raise ValueError(
                f"{shown} {OBJECT_PLACEHOLDER} in one turn, {len(instances)} target instances"
            )
        targets += [
            RecordTarget(thing["name"], Box.from_xywh(*thing["bbox"]))
            for thing in instances[:shown]
        ]
    return Record(
        id=str(entry.get("id", name)),
        source=source,
        license=license,
        image=image,
        width=width,
        height=height,
        conversations=tuple(messages),
        targets=tuple(targets),
    )


def _image_size(path: Path) -> tuple[int, int]:
    if not path.is_file():
        raise ValueError(f"no image {path}")
    with Image.open(path) as image:  # reads the header alone
        return image.size
