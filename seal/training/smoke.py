"""A few records and a tokenizer made on the spot, so that a machine can be tried without data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from seal.data.masks import mask_to_rle
from seal.data.record_set import Expression, Message, Record, RecordTarget, RecordWriter
from seal.geometry import Box
from seal.text.conversation import PLAIN, VQA, VSM, conversation_text
from seal.text.prompts import focused_question, locate_question, refusal
from seal.text.tokenize import load_tokenizer
from seal.text.tokens import (
    IMAGE_PLACEHOLDER,
    OBJECT_PLACEHOLDER,
    SEARCH_TOKENS,
)
from seal.text.train_tokenizer import train_tokenizer

COLORS = ("red", "green", "blue", "white")
SHAPES = ("square", "disc")
WIDTH, HEIGHT = 64, 48  # pixels
SETS = ("captions", "instruct", "grounding")
VOCABULARY = 340  # pieces, without the tokens below
SIZES = {"train": 24, "validation": 6}  # records


def write_smoke_data(folder: Path) -> None:
    """Write `folder`/{tokenizer, SET/train, SET/validation} as far as they are not there."""
    if not (folder / "tokenizer" / "tokenizer.model").exists():
        train_tokenizer(_texts(), VOCABULARY, folder / "tokenizer", SEARCH_TOKENS)
        load_tokenizer(folder / "tokenizer")
    for name in SETS:
        for part, count in SIZES.items():
            if not (folder / name / part / "set.json").exists():
                _write_set(folder / name / part, name, count, seed=len(part))


def _write_set(folder: Path, name: str, count: int, seed: int) -> None:
    with RecordWriter(folder, builder="smoke", seed=seed, image_root="images") as writer:
        for index in range(count):
            writer.write(_record(folder / "images", name, index, seed))


def _record(images: Path, name: str, index: int, seed: int) -> Record:
    """One record; kinds go round, so that a batch is a mixture of everything there is."""
    rng = np.random.default_rng((seed, index))
    things = _draw(images / f"{index}.png", rng)
    names = [thing for thing, _ in things]
    conversation: list[tuple[str, str]] = []
    targets: tuple[RecordTarget, ...] = ()
    expressions: tuple[Expression, ...] = ()
    if name == "captions":
        question = f"{IMAGE_PLACEHOLDER}\nDescribe the picture."
        conversation = [(question, f"A {names[0]} and a {names[1]}.")]
    elif name == "instruct" and index % 6 == 0:
        conversation = [("Which color is a clear sky?", "It is blue.")]
    elif name == "instruct" and index % 6 == 1:
        conversation = [(f"{IMAGE_PLACEHOLDER}\nWhat is on the mug?", refusal(["mug"]))]
    elif name == "instruct":
        targets = tuple(RecordTarget(thing, box) for thing, box in things[: index % 3 + 1])
        question = focused_question([OBJECT_PLACEHOLDER for _ in targets], "What do you see?")
        conversation = [(f"{IMAGE_PLACEHOLDER}\n{question}", f"I see a {names[0]}.")]
    elif index % 4 == 0:
        conversation = [(f"{IMAGE_PLACEHOLDER}\nWhat do you see?", f"I see a {names[0]}.")]
    else:
        expressions = (
            Expression(names[0], (things[0][1],), mask_to_rle(_mask(things[0][1]))),
            Expression(names[1], (things[1][1],)),
            Expression("mug", ()),
        )
    shown = not (name == "instruct" and index % 6 == 0)
    messages = [
        message
        for question, answer in conversation
        for message in (Message("human", question), Message("assistant", answer))
    ]
    return Record(
        id=f"smoke-{name}-{index}",
        source="smoke",
        license="CC0-1.0",
        image=f"{index}.png" if shown else None,
        width=WIDTH if shown else 0,
        height=HEIGHT if shown else 0,
        conversations=tuple(messages),
        targets=targets,
        expressions=expressions,
    )


def _draw(path: Path, rng: np.random.Generator) -> list[tuple[str, Box]]:
    """Three things side by side; the picture is written to `path`."""
    image = Image.new("RGB", (WIDTH, HEIGHT), (96, 96, 96))
    pen = ImageDraw.Draw(image)
    things = []
    for place, color in enumerate(rng.permutation(COLORS)[:3]):
        shape, size = SHAPES[rng.integers(2)], int(rng.integers(8, 16))
        x, y = place * 21 + int(rng.integers(4)), int(rng.integers(HEIGHT - size))
        draw = pen.rectangle if shape == "square" else pen.ellipse
        draw((x, y, x + size - 1, y + size - 1), fill=str(color))
        things.append((f"{color} {shape}", Box(x, y, x + size, y + size)))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return things


def _mask(box: Box) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = 1
    return mask


def _texts() -> list[str]:
    """What the tokenizer is trained on: the sentences of every kind of record."""
    texts = []
    for color in COLORS:
        for shape in SHAPES:
            name = f"{color} {shape}"
            texts += [
                conversation_text(PLAIN, [(IMAGE_PLACEHOLDER, f"A {name} and a {name}.")]),
                conversation_text(VQA, [("What do you see?", f"I see a {name}.")]),
                conversation_text(VQA, [("What is on the mug?", refusal(["mug"]))]),
                conversation_text(VSM, [(locate_question(name), "Sure, .")]),
                f"{name} at location [0.125,0.250,0.375,0.689]; It is blue. 0 1 2 3 4 5 6 7 8 9",
            ]
    return texts
