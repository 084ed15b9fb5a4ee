"""The one training record (schema 1): what every builder writes and all training code reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from seal.data.masks import RLE
from seal.geometry import Box
from seal.text.quote import quoted
from seal.text.tokens import IMAGE_PLACEHOLDER, OBJECT_PLACEHOLDER

SCHEMA = 1
HUMAN, ASSISTANT = "human", "assistant"
# Annotations are rounded differently from image sizes; beyond this a box is a mistake.
BOX_SLACK = 1.0  # pixels


@dataclass(frozen=True, slots=True)
class Message:
    """One side of a turn."""

    speaker: str  # HUMAN or ASSISTANT
    value: str


@dataclass(frozen=True, slots=True)
class RecordTarget:
    """A crop of the visual working memory. `box` in image pixels."""

    name: str
    box: Box


@dataclass(frozen=True, slots=True)
class Expression:
    """What the search model is asked for."""

    text: str
    boxes: tuple[Box, ...] | None  # image pixels; (): absent from the image; None: not annotated
    mask: RLE | None = None  # of the image's size; None: no mask supervision


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a record set. A record that breaks a rule cannot be made."""

    id: str
    source: str
    license: str
    image: str | None  # path below the set's image root; None: text only
    width: int = 0  # pixels; 0 without an image
    height: int = 0
    conversations: tuple[Message, ...] = ()
    targets: tuple[RecordTarget, ...] = ()  # in the order of the `<object>` placeholders
    expressions: tuple[Expression, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            self._check()
        except ValueError as error:
            raise ValueError(f"record {self.id!r}: {error}") from error

    @property
    def turns(self) -> list[tuple[str, str]]:
        """(question, answer) pairs. An assistant who speaks first is not heard."""
        messages = self.conversations
        if messages and messages[0].speaker == ASSISTANT:
            messages = messages[1:]
        return [
            (question.value, answer.value)
            for question, answer in zip(messages[::2], messages[1::2], strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """The record as it stands in a line."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "source": self.source,
            "license": self.license,
            "image": self.image,
            "width": self.width,
            "height": self.height,
            "conversations": [{"from": m.speaker, "value": m.value} for m in self.conversations],
            "targets": [{"name": t.name, "box": _corners(t.box)} for t in self.targets],
            "expressions": [
                {
                    "text": e.text,
                    "boxes": None if e.boxes is None else [_corners(box) for box in e.boxes],
                    "mask": e.mask,
                }
                for e in self.expressions
            ],
            "meta": self.meta,
        }

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Record:
        """The record of one line; unknown or missing keys are errors."""
        if not isinstance(line, dict):
            raise ValueError(f"a record is a JSON object, got {type(line).__name__}")
        if line.get("schema") != SCHEMA:
            raise ValueError(f"schema {line.get('schema')!r}; this version reads {SCHEMA}")
        known = set(cls.__dataclass_fields__) | {"schema"}
        if unknown := sorted(set(line) - known):
            raise ValueError(f"unknown keys {unknown}; a record has {sorted(known)}")
        try:
            return cls(
                id=line["id"],
                source=line["source"],
                license=line["license"],
                image=line["image"],
                width=line["width"] or 0,
                height=line["height"] or 0,
                conversations=tuple(
                    Message(m["from"], m["value"]) for m in line.get("conversations", ())
                ),
                targets=tuple(
                    RecordTarget(t["name"], _box(t["box"])) for t in line.get("targets", ())
                ),
                expressions=tuple(
                    Expression(
                        e["text"],
                        None if e["boxes"] is None else tuple(_box(b) for b in e["boxes"]),
                        e.get("mask"),
                    )
                    for e in line.get("expressions", ())
                ),
                meta=line.get("meta", {}),
            )
        except KeyError as error:
            raise ValueError(f"record {line.get('id')!r}: no key {error}") from error
        except (TypeError, AttributeError) as error:
            raise ValueError(f"record {line.get('id')!r}: wrong type: {error}") from error

    def _check(self) -> None:
        for name in ("id", "source", "license"):
            if not isinstance(getattr(self, name), str):
                raise ValueError(f"{name} must be text, got {getattr(self, name)!r}")
        if not self.id:
            raise ValueError("a record needs an id")
        if self.image is None:
            if self.targets or self.expressions:
                raise ValueError("a record without an image has neither targets nor expressions")
        elif self.width < 1 or self.height < 1:
            raise ValueError(f"the image's size is {self.width} x {self.height} pixels")
        if not self.conversations and not self.expressions:
            raise ValueError("there is nothing to learn: no conversation and no expression")
        self._check_conversation()
        for target in self.targets:
            if not target.name.strip():
                raise ValueError("a target has no name")
            self._check_name(target.name)
            self._check_box(target.box, f"target {quoted(target.name)}")
        for expression in self.expressions:
            if not expression.text.strip():
                raise ValueError("an expression is empty")
            self._check_name(expression.text)
            for box in expression.boxes or ():
                self._check_box(box, f"expression {quoted(expression.text)}")
            size = expression.mask and list(expression.mask.get("size", ()))
            if size and size != [self.height, self.width]:
                raise ValueError(
                    f"the mask of {quoted(expression.text)} is {size} (height, width), the image "
                    f"{[self.height, self.width]}"
                )

    def _check_conversation(self) -> None:
        messages = self.conversations
        if messages and messages[0].speaker == ASSISTANT:
            messages = messages[1:]
        speakers = [m.speaker for m in messages]
        if speakers != [HUMAN, ASSISTANT] * (len(speakers) // 2):
            raise ValueError(f"speakers must alternate, {HUMAN} first, got {speakers}")
        if self.conversations and not messages:
            raise ValueError("the conversation has no question")
        for message in messages:
            if message.speaker == ASSISTANT:
                for mark in (IMAGE_PLACEHOLDER, OBJECT_PLACEHOLDER):
                    if mark in message.value:
                        raise ValueError(f"an answer contains {mark}: {message.value!r}")
            text = message.value.replace(IMAGE_PLACEHOLDER, "").replace(OBJECT_PLACEHOLDER, "")
            if not text.strip():
                side = "a question" if message.speaker == HUMAN else "an answer"
                raise ValueError(f"{side} is empty")
        text = "\n".join(m.value for m in messages if m.speaker == HUMAN)
        if (shown := text.count(OBJECT_PLACEHOLDER)) != len(self.targets):
            raise ValueError(
                f"{shown} {OBJECT_PLACEHOLDER} in the questions, but {len(self.targets)} targets"
            )
        if messages and text.count(IMAGE_PLACEHOLDER) != (self.image is not None):
            raise ValueError(
                f"{text.count(IMAGE_PLACEHOLDER)} {IMAGE_PLACEHOLDER} in the questions, but "
                f"{'one image' if self.image is not None else 'no image'}"
            )

    def _check_name(self, name: str) -> None:
        for mark in (IMAGE_PLACEHOLDER, OBJECT_PLACEHOLDER):
            if mark in name:
                raise ValueError(f"a name contains {mark}: {quoted(name)}")

    def _check_box(self, box: Box, name: str) -> None:
        if not all(map(math.isfinite, (box.x0, box.y0, box.x1, box.y1))):
            raise ValueError(f"{name} has a box that is not finite: {box}")
        if box.width <= 0 or box.height <= 0:
            raise ValueError(f"{name} has a box without area: {box}")
        inside = min(box.x0, box.y0) >= -BOX_SLACK and (
            box.x1 <= self.width + BOX_SLACK and box.y1 <= self.height + BOX_SLACK
        )
        if not inside:
            raise ValueError(f"{name} lies outside {self.width} x {self.height} pixels: {box}")


def _corners(box: Box) -> list[float]:
    # Always floats: a column of a table has one type.
    return [float(box.x0), float(box.y0), float(box.x1), float(box.y1)]


def _box(corners: list[float]) -> Box:
    if len(corners) != 4:
        raise ValueError(f"a box has four corners x0, y0, x1, y1, got {corners}")
    return Box(*corners)
