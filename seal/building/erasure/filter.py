"""The erasure filter: keep a question only if it takes its object to answer it.

A model answers the question about the picture, and about the picture without the object. Kept is
what it answers rightly the first time and not the second. The paper's authors took InstructBLIP
and LaMa; here any model and any inpainter will do.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seal.building.erasure.image_answers import (
    EndpointAnswers,
    ImageAnswers,
    ImageQuestion,
    SealAnswers,
)
from seal.building.erasure.inpainting import (
    INPAINTERS,
    Inpainter,
    boxes_mask,
    build_inpainter,
    polygons_mask,
)
from seal.data.record_set import Record
from seal.endpoint.address import check_address
from seal.files.fingerprint import fingerprint
from seal.images import open_image
from seal.text.prompts import FOCUS
from seal.text.tokens import IMAGE_PLACEHOLDER

if TYPE_CHECKING:
    from seal.inference.answers.protocol import AnswerModel

ANSWERS = ("none", "seal", "openai")
MASKS = ("box", "polygon")
NOT_ANSWERED = "not answered with the object"
ANSWERED_WITHOUT = "answered without the object"
# Where a builder leaves the short answer, and the outline of a record's one target.
SHORT_ANSWER, POLYGONS = "answer", "polygons"
_ARTICLES = frozenset({"a", "an", "the"})


@dataclass(kw_only=True, slots=True)
class ErasureConfig:
    """`erasure.*` of a builder. The key of an endpoint is in the environment, never in here."""

    answers: str = "none"  # none: nothing is judged | seal: a VQA LLM | openai: any endpoint
    model: str = ""  # seal: its folder; openai: the endpoint's name for it
    crops: bool = True  # seal: the targets are shown as after a search; False: the picture alone
    inpainter: str = "opencv"  # opencv: Telea's method | fill: one color
    mask: str = "box"  # box | polygon: the outline where the source has one, else the box
    margin: float = 0.1  # what is erased around it, as a share of its side
    radius: float = 3.0  # opencv: pixels around the hole that its colors come from
    max_new_tokens: int = 60  # of an answer
    batch_size: int = 16  # pictures in memory, rows in one pass
    device: str | None = None  # seal; None: the first GPU, if there is one
    quantization: str | None = None  # seal: int8 | nf4
    base_url: str | None = None  # openai: http://host:port/v1; None: OpenAI's own
    api_key_env: str = "OPENAI_API_KEY"  # openai: the variable that holds the key
    concurrency: int = 16  # openai: requests in flight
    timeout: float = 120.0  # openai: seconds for one request

    def __post_init__(self) -> None:
        for name, known in (("answers", ANSWERS), ("inpainter", INPAINTERS), ("mask", MASKS)):
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"erasure.{name}={value!r} is none of {', '.join(known)}")
        if self.answers != "none" and not self.model:
            raise ValueError(f"erasure.answers={self.answers} needs erasure.model=")
        if self.base_url is not None:
            check_address("erasure.base_url", self.base_url, "erasure.api_key_env")
        for name, least in (
            ("margin", 0),
            ("radius", 1),
            ("max_new_tokens", 1),
            ("batch_size", 1),
            ("concurrency", 1),
            ("timeout", 1),
        ):
            if (number := getattr(self, name)) < least:
                raise ValueError(f"erasure.{name}={number} must be at least {least}")

    def settings(self) -> dict[str, Any]:
        """What a judgement depends on, for `set.json`."""
        if self.answers == "none":
            return {"answers": "none"}
        names = ("answers", "model", "inpainter", "mask", "margin", "radius", "max_new_tokens")
        settings = {name: getattr(self, name) for name in names}
        if self.answers == "seal":
            settings |= {"crops": self.crops, "quantization": self.quantization}
            folder = Path(self.model)
            settings["files"] = fingerprint(folder) if folder.is_dir() else None
        return settings

    def build(self, image_root: str | Path) -> ErasureFilter | None:
        """None: nothing is filtered.

        Raises:
            ValueError: the model's folder holds no VQA LLM, or an endpoint lacks its key.
        """
        if self.answers == "none":
            return None
        return ErasureFilter(
            self._answers(), build_inpainter(self.inpainter, self.radius), self, image_root
        )

    def _answers(self) -> ImageAnswers:
        if self.answers == "seal":
            folder = Path(self.model)
            if not (folder / "config.json").is_file():
                raise ValueError(f"erasure.model={folder} is not a model folder: no config.json")

            def load() -> AnswerModel:
                # Imported here: builders that filter nothing need no network.
                from seal.inference.load import load_answer_model

                return load_answer_model(
                    folder,
                    device=self.device,
                    quantization=self.quantization,
                    max_batch=self.batch_size,
                )

            return SealAnswers(load, crops=self.crops, max_new_tokens=self.max_new_tokens)
        key = os.environ.get(self.api_key_env, "").strip()
        if not key and self.base_url is None:
            raise ValueError(
                f"erasure.answers=openai needs a key in the environment variable "
                f"{self.api_key_env}; set it, or name a server of your own with erasure.base_url="
            )
        return EndpointAnswers(
            self.model,
            key=key,
            base_url=self.base_url,
            max_new_tokens=self.max_new_tokens,
            concurrency=self.concurrency,
            timeout=self.timeout,
        )


class ErasureFilter:
    """A `Keep`: records of one question, whose `meta` holds the short answer."""

    def __init__(
        self,
        answers: ImageAnswers,
        inpainter: Inpainter,
        config: ErasureConfig,
        image_root: str | Path,
    ) -> None:
        self.answers = answers
        self.inpainter = inpainter
        self.config = config
        self.image_root = Path(image_root)

    def __call__(self, records: Sequence[Record]) -> list[str | None]:
        """Why each record is dropped; None: kept."""
        reasons: list[str | None] = []
        for start in range(0, len(records), self.config.batch_size):
            reasons += self._judged(records[start : start + self.config.batch_size])
        return reasons

    def _judged(self, records: Sequence[Record]) -> list[str | None]:
        images = [open_image(self.image_root / str(record.image)) for record in records]
        reasons: list[str | None] = [
            None if right else NOT_ANSWERED for right in self._answered(records, images)
        ]
        seen = [place for place, reason in enumerate(reasons) if reason is None]
        without = self._answered(
            [records[place] for place in seen],
            [
                self.inpainter.erase(images[place], target_mask(records[place], self.config))
                for place in seen
            ],
        )
        for place, right in zip(seen, without, strict=True):
            if right:
                reasons[place] = ANSWERED_WITHOUT
        return reasons

    def _answered(self, records: Sequence[Record], images: Sequence[Image.Image]) -> list[bool]:
        questions = [
            ImageQuestion(image, plain_question(record), record.targets)
            for record, image in zip(records, images, strict=True)
        ]
        texts = self.answers.answer(questions) if questions else []
        return [
            says(text, str(record.meta[SHORT_ANSWER]))
            for record, text in zip(records, texts, strict=True)
        ]


def plain_question(record: Record) -> str:
    """A record's first question without placeholder and focus sentence."""
    text = record.turns[0][0].replace(IMAGE_PLACEHOLDER, "").strip()
    return text.split("\n", 1)[1].strip() if text.startswith(FOCUS) else text


def target_mask(record: Record, config: ErasureConfig) -> NDArray[np.uint8]:
    """(H, W), 1 where the record's targets stand."""
    polygons = record.meta.get(POLYGONS)
    if config.mask == "polygon" and polygons:
        return polygons_mask(polygons, record.width, record.height, config.margin)
    boxes = [target.box for target in record.targets]
    return boxes_mask(boxes, record.width, record.height, config.margin)


def says(text: str, answer: str) -> bool:
    """Whether a free-form text gives a short answer.

    Both without case, punctuation and articles: the text holds the answer as whole words, and not
    behind a `not`; every part of an answer with `and`. For yes and no its first word counts.
    """
    words = _words(text)
    if (wanted := _words(answer)) in (["yes"], ["no"]):
        return words[:1] == wanted
    found = f" {' '.join(words)} "
    parts = [part.strip() for part in " ".join(wanted).split(" and ")]
    return all(part and f" {part} " in found.replace(f" not {part} ", " not ") for part in parts)


def _words(text: str) -> list[str]:
    words = re.findall(r"[^\W_]+(?:-[^\W_]+)*", text.lower())
    return [word for word in words if word not in _ARTICLES]
