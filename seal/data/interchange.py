"""Read and write the authors' form of the VQA mixture: JSON lists of conversations with boxes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from seal.data.entry_media import other_medium
from seal.data.record_set import ASSISTANT, HUMAN, Message, Record, RecordTarget
from seal.files.plain_text import read_text
from seal.geometry import Box
from seal.images import image_file_size
from seal.text.tokens import OBJECT_PLACEHOLDER

# Our name of each part of the mixture -> the authors' file, without `.json`.
AUTHORS_FILES = {
    "negative": "negative_data",
    "gqa": "GQA_data",
    "vaw": "vaw_attribute_data",
    "spatial": "spatial_relation_data",
    "llava": "llava_instruct_data",
    "focus": "llava_focus_data",
}
UNNAMED = "id_made_up"  # in `meta` of a record whose entry had no id
GIVEN_ID = "given_id"  # in `meta`: the entry's id, where the record's is another
_SPEAKERS = {"human": HUMAN, "gpt": ASSISTANT}


def read_authors(
    path: str | Path, image_root: str | Path, *, source: str, license: str
) -> Iterator[Record]:
    """The records of one file of theirs; image sizes are read from the image files.

    Their `<object>`s are numbered anew in each turn: one that is named again in a later turn is
    shown again there.
    """
    for index, entry in read_entries(path):
        try:
            yield from_authors(
                entry, image_root, name=f"{source}-{index}", source=source, license=license
            )
        except KeyError as error:
            raise ValueError(f"{path}: entry {index}: no key {error}") from error
        except (TypeError, AttributeError) as error:
            raise ValueError(f"{path}: entry {index}: wrong type: {error}") from error
        except ValueError as error:
            raise ValueError(f"{path}: entry {index}: {error}") from error


def read_entries(path: str | Path) -> Iterator[tuple[int, Any]]:
    """Number and value of each element of the list in a JSON file, parsed one at a time."""
    path = Path(path)
    text = read_text(path)
    decoder = json.JSONDecoder()
    at = _blank(text, 0)
    if text[at : at + 1] != "[":
        try:
            kind = type(json.loads(text)).__name__
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not JSON: {error}") from error
        raise ValueError(f"{path} must hold a list, got {kind}")
    at = _blank(text, at + 1)
    index = 0
    while text[at : at + 1] != "]" or index:
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not JSON: entry {index}: {error}") from error
        yield index, value
        index += 1
        at = _blank(text, at)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            raise ValueError(
                f"{path} is not JSON: a comma is missing behind entry {index - 1}, character {at}; "
                "is the file complete?"
            )
        at = _blank(text, at + 1)
    if _blank(text, at + 1) != len(text):
        raise ValueError(f"{path} is not JSON: text behind the list, character {at + 1}")


def write_authors(path: str | Path, records: Iterable[Record]) -> int:
    """Write records as one file of theirs, renamed when it is whole; return how many they are."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    count = 0
    with partial.open("w", encoding="utf-8") as file:
        file.write("[")
        for count, record in enumerate(records, start=1):
            entry = to_authors(record)
            if record.meta.get(UNNAMED):
                del entry["id"]
            file.write(("\n" if count == 1 else ",\n") + json.dumps(entry, ensure_ascii=False))
        file.write("\n]\n")
    partial.replace(path)
    return count


def to_authors(record: Record) -> dict[str, Any]:
    """One entry of their form. Source, licence and `meta` have no place there.

    Raises:
        ValueError: the record says what their form cannot: an expression, or targets of a later
            turn that are not the first ones of an earlier.
    """
    if record.expressions:
        raise ValueError(f"record {record.id!r}: their form has no place for expressions")
    entry: dict[str, Any] = {"id": record.meta.get(GIVEN_ID, record.id)}
    if record.image is not None:
        entry["image"] = record.image
    if record.targets:
        instances = _instances(record)
        entry["search"] = True
        entry["target_instances"] = [{"name": t.name, "bbox": _xywh(t.box)} for t in instances]
    theirs = {ours: name for name, ours in _SPEAKERS.items()}
    entry["conversations"] = [
        {"from": theirs[m.speaker], "value": m.value} for m in record.conversations
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
    if medium := other_medium(entry):
        raise ValueError(f"entry with {medium}: records are about one image or none")
    instances = entry.get("target_instances") or []
    image: str | None = entry.get("image")
    width, height = image_file_size(Path(image_root) / image) if image else (0, 0)
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
    record_id = str(entry.get("id", name))
    meta: dict[str, Any] = {} if "id" in entry else {UNNAMED: True}
    if "id" in entry and entry["id"] != record_id:  # a number
        meta[GIVEN_ID] = entry["id"]
    return Record(
        id=record_id,
        source=source,
        license=license,
        image=image or None,
        width=width,
        height=height,
        conversations=tuple(messages),
        targets=tuple(targets),
        meta=meta,
    )


def _instances(record: Record) -> tuple[RecordTarget, ...]:
    """The list that every turn's `<object>`s are counted off from its beginning."""
    turns: list[tuple[RecordTarget, ...]] = []
    first = 0
    for message in record.conversations:
        shown = message.value.count(OBJECT_PLACEHOLDER)
        turns.append(record.targets[first : first + shown])
        first += shown
    longest = max(turns, key=len)
    if any(turn != longest[: len(turn)] for turn in turns):
        raise ValueError(
            f"record {record.id!r}: {OBJECT_PLACEHOLDER} in "
            f"{sum(map(bool, turns))} turns that name different targets; their form numbers "
            "objects anew in each turn and cannot say that"
        )
    return longest


def _xywh(box: Box) -> list[float]:
    """Corner and size, whose sum is the other corner again to the last bit."""
    return [box.x0, box.y0, _extent(box.x0, box.x1), _extent(box.y0, box.y1)]


def _extent(low: float, high: float) -> float:
    """The shortest decimal number that takes `low` to `high`: what was written there before."""
    exact = high - low
    for digits in range(17):
        rounded = round(exact, digits)
        if low + rounded == high:
            return rounded
    return exact


def _blank(text: str, at: int) -> int:
    """The next place that is not blank."""
    while text[at : at + 1] in (" ", "\n", "\r", "\t"):
        at += 1
    return at
