"""VQA and chat records to samples: what the VQA LLM reads, crops of its targets included."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from seal.batch import Row, Sample, Visual
from seal.data.length_index import LengthIndex
from seal.data.record_set import Record, RecordSet
from seal.images import (
    BACKGROUND,
    Color,
    context_crop,
    open_image,
    pad_to_square,
    resized_bytes,
)
from seal.text.chat_template import choose_template
from seal.text.conversation import PLAIN, conversation_row
from seal.text.prompts import object_phrase
from seal.text.tokenize import Tokenizer
from seal.text.tokens import (
    OBJECT_PLACEHOLDER,
    OBJECT_SLOTS,
    PADDED_OBJECT_SLOTS,
    TOKEN_POLICIES,
    VisualSizes,
    choose_tokens,
)

IMAGE_PROJECTORS = ("policy", "long", "short")


@dataclass(kw_only=True, slots=True)
class ChatConfig:
    """How VQA records become rows."""

    template: str = "vqa"  # vqa: the model's | plain: captions for the alignment of a projector
    token_policy: str = "paper_training"  # which projector serves the image and its crops
    image_projector: str = "policy"  # policy | long | short: overrides it; alignment trains one
    object_slots: str = "none"  # none | padded: the released layout with three slots in every row
    max_text_tokens: int = 2048  # longer rows are cut; every picture counts as one token
    crop_scale: float = 1.2  # of a target's box

    def __post_init__(self) -> None:
        for name, value, known in (
            ("template", self.template, ("vqa", "plain")),
            ("token_policy", self.token_policy, TOKEN_POLICIES),
            ("image_projector", self.image_projector, IMAGE_PROJECTORS),
            ("object_slots", self.object_slots, OBJECT_SLOTS),
        ):
            if value not in known:
                raise ValueError(f"{name}={value!r} is none of {', '.join(known)}")
        if self.max_text_tokens < 1 or self.crop_scale <= 0:
            raise ValueError(
                f"max_text_tokens={self.max_text_tokens} and crop_scale={self.crop_scale} must be "
                "positive"
            )

    @property
    def positions(self) -> str:
        """The rule of `collate` that goes with these rows."""
        return "all" if self.object_slots == "padded" else "attended"

    def build(
        self,
        records: RecordSet,
        tokenizer: Tokenizer,
        *,
        image_size: int,
        sizes: VisualSizes,
        background: Color = BACKGROUND,
        prompt_style: str = "vicuna",
    ) -> ChatDataset:
        """`image_size` pixels a side, `sizes` tokens and the `background` of what is squared are
        the vision tower's and projectors', `prompt_style` the model's."""
        return ChatDataset(
            records,
            tokenizer,
            self,
            image_size=image_size,
            sizes=sizes,
            background=background,
            prompt_style=prompt_style,
        )


class ChatDataset:
    """One sample a record; item `index` depends on the index alone."""

    def __init__(
        self,
        records: RecordSet,
        tokenizer: Tokenizer,
        config: ChatConfig,
        *,
        image_size: int,
        sizes: VisualSizes,
        background: Color = BACKGROUND,
        prompt_style: str = "vicuna",
    ) -> None:
        self.records = records
        self.tokenizer = tokenizer
        self.config = config
        self.image_size = image_size
        self.background = background
        self.sizes = sizes
        self.prompt_style = prompt_style
        plain = config.template == "plain"
        self._template = PLAIN if plain else choose_template(tokenizer, "vqa", prompt_style)
        self.index: LengthIndex | None = None

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        record = self.records[index]
        try:
            return self._sample(record)
        except ValueError as error:
            raise ValueError(f"{self.records.where(index)}: {error}") from error

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """The item; nothing is drawn here."""
        return self[index]

    def length(self, index: int, rng: np.random.Generator) -> int:
        """Positions of the row, found without opening the image."""
        (length,) = self.pieces(index) if self.index is None else self.index[index]
        return length

    def pieces(self, index: int) -> list[int]:
        """What the index holds of a record: the positions of its row."""
        try:
            return [len(self._row(self.records[index]).input_ids)]
        except ValueError as error:
            raise ValueError(f"{self.records.where(index)}: {error}") from error

    def _sample(self, record: Record) -> Sample:
        row = self._row(record)
        pictures: list[Tensor] = []
        path = self.records.image_path(record)
        if path is not None:
            image = open_record_image(record, path)
            square, _ = pad_to_square(image, "center", self.background)
            pictures.append(picture(square, self.image_size))
            for target in record.targets:
                crop = context_crop(image, target.box, self.config.crop_scale)
                pictures.append(picture(crop, self.image_size))
        if any(not visual.attended for visual in row.visuals):
            pictures.append(blank_picture(self.image_size, self.background))
        return Sample(record.id, (row,), tuple(pictures))

    def _row(self, record: Record) -> Row:
        config, num_crops = self.config, len(record.targets)
        image_long, objects_long = choose_tokens(config.token_policy, num_crops)
        if config.image_projector != "policy":
            image_long = config.image_projector == "long"
        shown = record.image is not None
        blank = int(shown) + num_crops  # the picture behind the record's own
        dummies: list[Visual] = []
        if config.object_slots == "padded":
            if num_crops > PADDED_OBJECT_SLOTS:
                raise ValueError(
                    f"record {record.id!r}: {num_crops} targets do not fit the "
                    f"{PADDED_OBJECT_SLOTS} slots of object_slots=padded; use object_slots=none"
                )
            if not shown:
                dummies.append(Visual(blank, long=True, attended=False))
            slot = Visual(blank, long=False, attended=False)
            dummies += [slot] * (PADDED_OBJECT_SLOTS - num_crops)
        return conversation_row(
            self.tokenizer,
            self._template,
            expanded_turns(record),
            image=Visual(0, image_long) if shown else None,
            objects=[Visual(1 + i, objects_long) for i in range(num_crops)],
            dummies=dummies,
            sizes=self.sizes,
            max_text_tokens=config.max_text_tokens,
            limit="data.chat.max_text_tokens",
            record=repr(record.id),
        )


def expanded_turns(record: Record) -> list[tuple[str, str]]:
    """The turns, each `<object>` written out as its target's name and location."""
    phrases = [
        object_phrase(target.name, target.box, record.width, record.height)
        for target in record.targets
    ]
    turns = []
    for question, answer in record.turns:
        first, *rest = question.split(OBJECT_PLACEHOLDER)
        turns.append((first + "".join(phrases.pop(0) + part for part in rest), answer))
    return turns


def open_record_image(record: Record, path: Path) -> Image:
    """The record's image, of the size the record says: its boxes are in those pixels."""
    image = open_image(path)
    if image.size != (record.width, record.height):
        raise ValueError(
            f"record {record.id!r}: {path} is {image.width} x {image.height} pixels, the record "
            f"says {record.width} x {record.height}"
        )
    return image


def picture(image: Image, size: int) -> Tensor:
    """(3, size, size) uint8: normalized where they are needed, they are small on the way."""
    return torch.from_numpy(resized_bytes(image, size).copy())


@lru_cache(maxsize=8)
def blank_picture(size: int, color: Color = BACKGROUND) -> Tensor:
    """What dummy slots show: nothing attends to it. One object: a batch encodes it once."""
    channels = torch.tensor(color, dtype=torch.uint8)
    return channels[:, None, None].expand(3, size, size).contiguous()
