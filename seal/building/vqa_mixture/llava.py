"""LLaVA-Instruct and everything in its form to chat records, for both mixtures."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from seal.building.formats.entry_errors import ErrorsAt
from seal.building.formats.fields import checked_id
from seal.building.formats.image_lookup import ImageFiles
from seal.building.formats.json_arrays import read_element
from seal.building.formats.json_list import stream_list
from seal.building.language.reserved_marks import mark_in
from seal.building.records.source_files import require_sources, source_settings
from seal.building.records.writer import BuildConfig, Outcome, build_set
from seal.building.sources.photo_layouts import coco_places
from seal.building.vqa_mixture.llava_entries import read_llava_entry, said_in
from seal.data.record_set import ASSISTANT, HUMAN, Message, Record, RecordSet
from seal.text.tokens import IMAGE_PLACEHOLDER

_MEDIA = ("image", "images", "video")  # of which two entries may say the same


@dataclass(kw_only=True, slots=True)
class LlavaBuildConfig(BuildConfig):
    """`annotations` is a JSON list of `{id, image, conversations: [{from, value}]}`.

    One entry a line, and `messages: [{role, content}]`, are read as well.
    """

    source: str = "llava"  # goes into ids and records
    license: str = "CC BY-NC 4.0"  # of LLaVA-Instruct
    text_only: bool = True  # keep entries without an image
    # Characters before the first answer. Rows are cut at a number of tokens (of the search model
    # 512, 256 of them the image), and a row without any answer left is an error in training.
    max_question: int = 800

    def __post_init__(self) -> None:
        BuildConfig.__post_init__(self)
        if self.max_question < 1:
            raise ValueError(f"max_question={self.max_question} must be at least 1")


class LlavaIndex:
    """Where every entry stands in the file. An entry that is there twice counts once.

    Ids do not tell entries apart: LLaVA-Instruct has up to three conversations about an image,
    all under the image's id.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        spans = array("q")  # byte offsets, start and end by turns
        seen: set[bytes] = set()
        for element in stream_list(path):
            entry = element.value
            with ErrorsAt(f"{path}: byte {element.start}"):
                talk = said_in(entry)
                said = json.dumps([*(entry.get(key) for key in _MEDIA), talk])
            digest = blake2b(said.encode(), digest_size=12).digest()
            if digest in seen:
                self.counts["entries that occur twice"] += 1
                continue
            seen.add(digest)
            spans.extend((element.start, element.end))
        self.spans = np.array(spans, dtype=np.int64).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self.spans)

    def read(self, row: int) -> dict[str, Any]:
        """An entry."""
        with self.path.open("rb") as file:
            entry: dict[str, Any] = read_element(file, *self.spans[row].tolist(), halves=True)
        return entry


class LlavaMaker:
    """Makes the record of one entry."""

    def __init__(self, config: LlavaBuildConfig, index: LlavaIndex) -> None:
        self.config = config
        self.index = index
        self.files = ImageFiles(config.images, drop_folders=False)

    def __call__(self, row: int) -> Outcome:
        outcome = Outcome()
        with ErrorsAt(self._where(row)):
            made = self._made(self.index.read(row), row, outcome.counts)
        if isinstance(made, str):
            outcome.counts[made] = 1
        else:
            outcome.records.append(made)
        return outcome

    def _where(self, row: int) -> str:
        return f"{self.index.path}: entry at byte {self.index.spans[row][0]}"

    def _made(self, entry: dict[str, Any], row: int, counts: dict[str, int]) -> Record | str:
        """The record, or why there is none."""
        config = self.config
        read = read_llava_entry(entry)
        if isinstance(read, str):
            return read
        image = read.image
        if image is None and not config.text_only:
            return "no image"
        messages = conversation(read.turns, counts, shown=image is not None)
        if isinstance(messages, str):
            return messages
        if len(messages[0].value) > config.max_question:
            return "first question longer than max_question"
        width = height = 0
        name = None
        if image is not None:
            found = self.files.look(coco_places(image), None)
            if isinstance(found, str):
                return found
            name, width, height = found.name, found.width, found.height
        given = checked_id(entry.get("id"))
        return Record(
            # The place comes first: ids are missing and occur several times.
            id=f"{config.source}-{row}" + ("" if given is None else f"-{given}"),
            source=config.source,
            license=config.license,
            image=name,
            width=width,
            height=height,
            conversations=messages,
            meta={"id": None if given is None else str(given)},
        )


def conversation(
    messages: list[tuple[str, str]], counts: dict[str, int], *, shown: bool
) -> tuple[Message, ...] | str:
    """The messages of an entry as a record has them, or why they cannot be used.

    `<image>` comes first in the first question, wherever it stood. What comes before the first
    question and behind the last answer is dropped, and so is a question or an answer that is
    empty, with its other half. `counts` is told, once an entry.

    Args:
        messages: who says what.
        shown: whether there is an image.
    """
    text = "\n".join(value for _, value in messages)
    if (mark := mark_in(text)) is not None:
        return f"{mark} in the text"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "half of a surrogate pair in the text"  # which no file in UTF-8 can hold
    if any(IMAGE_PLACEHOLDER in value for speaker, value in messages if speaker == ASSISTANT):
        return f"{IMAGE_PLACEHOLDER} in an answer"
    marked = text.count(IMAGE_PLACEHOLDER)
    if marked and not shown:
        return f"{IMAGE_PLACEHOLDER} without an image"
    if shown and marked != 1:
        what = "no" if marked == 0 else "more than one"
        counts[f"{what} {IMAGE_PLACEHOLDER}, made one"] = 1
    if messages and messages[0][0] == ASSISTANT:
        counts["answer before the first question, dropped"] = 1
        messages = messages[1:]
    if messages and messages[-1][0] == HUMAN:
        counts["question without an answer, dropped"] = 1
        messages = messages[:-1]
    if [speaker for speaker, _ in messages] != [HUMAN, ASSISTANT] * (len(messages) // 2):
        return "speakers do not alternate"
    turns = []
    for (_, question), (_, answer) in zip(messages[::2], messages[1::2], strict=True):
        question = question.replace(IMAGE_PLACEHOLDER, "").strip()
        if question and answer:
            turns.append((question, answer))
        else:
            counts["turns with an empty side, dropped"] = 1
    if not turns:
        return "no question with an answer"
    if shown:
        turns[0] = (f"{IMAGE_PLACEHOLDER}\n{turns[0][0]}", turns[0][1])
    return tuple(
        Message(speaker, value)
        for turn in turns
        for speaker, value in zip((HUMAN, ASSISTANT), turn, strict=True)
    )


def build_llava(config: LlavaBuildConfig) -> RecordSet:
    """Build the set of `config`."""
    require_sources(config.images, annotations=config.annotations)
    index = LlavaIndex(Path(config.annotations))
    return build_set(
        config,
        LlavaMaker(config, index),
        len(index),
        builder="llava",
        settings=source_settings(config, "source", "license", "text_only", "max_question"),
        counts=dict(index.counts),
    )
