"""Small record sets with images, for tests of everything that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from seal.data.record_set import (
    ASSISTANT,
    HUMAN,
    Expression,
    Message,
    Record,
    RecordSet,
    RecordTarget,
    RecordWriter,
)
from seal.geometry import Box
from seal.text.conversation import VQA, VSM, conversation_text
from seal.text.tokenize import Tokenizer
from seal.text.train_tokenizer import train_tokenizer

WIDTH, HEIGHT = 60, 40
TURNS = [("<image>\nWhere is the cup?", "On the table."), ("Sure?", "Yes.")]


def messages(turns: Sequence[tuple[str, str]]) -> tuple[Message, ...]:
    pairs = [(Message(HUMAN, q), Message(ASSISTANT, a)) for q, a in turns]
    return tuple(message for pair in pairs for message in pair)


def chat_record(name: str = "chat", num_targets: int = 0, **changes: Any) -> Record:
    """A question about `num_targets` crops."""
    phrases = "; ".join(["<object>"] * num_targets)
    boxes = [Box(5.0 + i, 5, 25 + i, 30) for i in range(num_targets)]
    question = f"<image>\nFocus on: {phrases}.\nWhere is it?" if num_targets else TURNS[0][0]
    values: dict[str, Any] = dict(
        id=name,
        source="test",
        license="none",
        image=f"{name}.png",
        width=WIDTH,
        height=HEIGHT,
        conversations=messages([(question, TURNS[0][1])]),
        targets=tuple(RecordTarget(f"thing{i}", box) for i, box in enumerate(boxes)),
    )
    return Record(**values | changes)


def text_record(name: str = "text", turns: Sequence[tuple[str, str]] = TURNS[1:]) -> Record:
    return Record(id=name, source="test", license="none", image=None, conversations=messages(turns))


def search_record(name: str = "scene", *expressions: Expression, **changes: Any) -> Record:
    values: dict[str, Any] = dict(
        id=name,
        source="test",
        license="none",
        image=f"{name}.png",
        width=WIDTH,
        height=HEIGHT,
        expressions=expressions or (Expression("cup", (Box(6, 4, 18, 12),)),),
    )
    return Record(**values | changes)


def draw_image(path: Path, width: int = WIDTH, height: int = HEIGHT) -> None:
    """Noise that no two paths share."""
    rng = np.random.default_rng(sum(path.name.encode()))
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def write_set(folder: Path, records: Sequence[Record], **settings: Any) -> RecordSet:
    """The records and an image for each of them, opened."""
    for record in records:
        if record.image is not None:
            draw_image(folder / "images" / record.image, record.width, record.height)
    with RecordWriter(folder, builder="test", seed=0, image_root="images", **settings) as writer:
        for record in records:
            writer.write(record)
    return RecordSet.open(folder)


def tiny_tokenizer(folder: Path) -> Tokenizer:
    texts = [conversation_text(VSM, TURNS), conversation_text(VQA, TURNS)]
    return train_tokenizer(texts * 3, 330, folder, ["[LOC]", "<im_start>", "<im_end>"])
