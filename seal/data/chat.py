"""VQA and chat records to samples: what the VQA LLM reads, crops of its targets included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL.Image import Image
from torch import Tensor

from seal.batch import KEPT_POLICY, Routed, Row, Sample, Visual
from seal.data.layout import trunk_length
from seal.data.length_index import LengthIndex
from seal.data.levels import feedback_rows, level_rows
from seal.data.record_set import Record, RecordSet
from seal.data.tower_input import TowerInput
from seal.images import BACKGROUND, Color, context_crop, open_image
from seal.images.tiles import TilesConfig
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
ROWS = ("one", "granularity", "router")  # what a record becomes


@dataclass(kw_only=True, slots=True)
class ChatConfig:
    """How VQA records become rows."""

    template: str = "vqa"  # vqa: the model's | plain: captions for the alignment of a projector
    token_policy: str = "paper_training"  # which projector serves the image and its crops
    # Of stage=granularity: beside its rows at levels a record keeps one as this policy has it, so
    # that one model can be shown pictures either way; None: it does not.
    kept_policy: str | None = None
    image_projector: str = "policy"  # policy | long | short: overrides it; alignment trains one
    object_slots: str = "none"  # none | padded: the released layout with three slots in every row
    max_text_tokens: int = 2048  # longer rows are cut; every picture counts as one token
    # Positions of a row at most, every visual token counted; None: only the text is limited.
    max_positions: int | None = None
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
        kept = [policy for policy in TOKEN_POLICIES if policy != "router"]
        if self.kept_policy is not None and (
            self.token_policy != "router" or self.kept_policy not in kept
        ):
            raise ValueError(
                f"kept_policy={self.kept_policy!r} must be one of {', '.join(kept)} or null, and "
                f"null unless token_policy=router; token_policy is {self.token_policy}"
            )
        if self.max_text_tokens < 1 or self.crop_scale <= 0:
            raise ValueError(
                f"max_text_tokens={self.max_text_tokens} and crop_scale={self.crop_scale} must be "
                "positive"
            )
        if self.max_positions is not None and self.max_positions < 1:
            raise ValueError(f"max_positions={self.max_positions} must be positive")
        if self.token_policy == "router" and self.object_slots == "padded":
            raise ValueError(
                "object_slots=padded is the layout of the released training, which knows no "
                "levels: set it to none, or token_policy to another policy"
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
        tiles: TilesConfig | None = None,
        levels: Sequence[int] = (),
        rows: str = "one",
    ) -> ChatDataset:
        """`image_size` pixels a side, `sizes` tokens and the `background` of what is squared are
        the vision tower's and projectors', `prompt_style`, `tiles` and `levels` the model's.

        rows: a record becomes `one`, one a level (`granularity`), or those that teach a router."""
        return ChatDataset(
            records,
            tokenizer,
            self,
            image_size=image_size,
            sizes=sizes,
            background=background,
            prompt_style=prompt_style,
            tiles=tiles,
            levels=levels,
            rows=rows,
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
        tiles: TilesConfig | None = None,
        levels: Sequence[int] = (),
        rows: str = "one",
    ) -> None:
        if rows not in ROWS or (rows != "one" and not levels):
            raise ValueError(
                f"rows={rows!r} must be one of {', '.join(ROWS)}; all but one need levels"
            )
        if config.token_policy != "router" and (rows != "one" or tiles is not None):
            raise ValueError(
                f"data.chat.token_policy={config.token_policy}: the resampler has no levels and "
                "reads no tiles; set it to router"
            )
        if config.image_projector == "short" and (rows != "one" or tiles is not None):
            raise ValueError(
                "data.chat.image_projector=short: the resampler has no levels and reads no tiles; "
                "set it to policy"
            )
        if config.kept_policy is not None and (
            rows != "granularity" or tiles is not None or not sizes.short
        ):
            raise ValueError(
                f"data.chat.kept_policy={config.kept_policy} is of stage=granularity, and of a "
                "model with a resampler and without tiles: set it to null"
            )
        self.records = records
        self.tokenizer = tokenizer
        self.config = config
        self.tower = TowerInput(image_size, sizes.long, background, tiles)
        self.sizes = sizes
        self.prompt_style = prompt_style
        self.levels, self.rows = tuple(levels), rows
        plain = config.template == "plain"
        self._template = PLAIN if plain else choose_template(tokenizer, "vqa", prompt_style)
        self.index: LengthIndex | None = None

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        return self.sample(index, np.random.default_rng(index))

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """The item; `rng` says at which levels further pictures of a row are shown together."""
        record = self.records[index]
        try:
            return self._sample(record, rng)
        except ValueError as error:
            raise ValueError(f"{self.records.where(index)}: {error}") from error

    def length(self, index: int, rng: np.random.Generator) -> int:
        """Positions of the rows, found without opening the image."""
        return sum(self.pieces(index) if self.index is None else self.index[index])

    def pieces(self, index: int) -> list[int]:
        """What the index holds of a record: the positions of its rows, what they share once."""
        try:
            rows, _ = self._rows(self.records[index], np.random.default_rng(index))
        except ValueError as error:
            raise ValueError(f"{self.records.where(index)}: {error}") from error
        trunk = trunk_length(rows)
        return [trunk + sum(len(row.input_ids) - trunk for row in rows)]

    def _sample(self, record: Record, rng: np.random.Generator) -> Sample:
        rows, routed = self._rows(record, rng)
        pictures: list[Tensor] = []
        path = self.records.image_path(record)
        if path is not None:
            image = open_record_image(record, path)
            pictures += self.tower.pixels(image, pad=True)
            for target in record.targets:
                crop = context_crop(image, target.box, self.config.crop_scale)
                pictures += self.tower.pixels(crop, pad=False)
        if any(not visual.attended for visual in rows[0].visuals):
            pictures.append(self.tower.blank())
        return Sample(record.id, rows, tuple(pictures), routed=routed)

    def _rows(
        self, record: Record, rng: np.random.Generator
    ) -> tuple[tuple[Row, ...], tuple[Routed, ...]]:
        row = self._row(record, self.config.token_policy)
        if self.rows == "one":
            return (row,), ()
        if self.rows == "router":
            return feedback_rows(row, self.levels)
        rows = level_rows(row, self.levels, rng)
        if self.config.kept_policy is not None and row.visuals:
            rows += (replace(self._row(record, self.config.kept_policy), level=KEPT_POLICY),)
        return rows, ()

    def _shown(self, record: Record, image_long: bool, objects_long: bool) -> list[Visual]:
        """The record's pictures, the whole image first; their sizes are known unopened."""
        if record.image is None:
            return []
        return self.tower.visuals(
            (record.width, record.height),
            [target.box for target in record.targets],
            image_long=image_long,
            objects_long=objects_long,
            crop_scale=self.config.crop_scale,
        )

    def _row(self, record: Record, policy: str) -> Row:
        config, num_crops = self.config, len(record.targets)
        image_long, objects_long = choose_tokens(policy, num_crops)
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
        visuals = self._shown(record, image_long, objects_long)
        most, limit = self._text_limit(visuals)
        return conversation_row(
            self.tokenizer,
            self._template,
            expanded_turns(record),
            image=visuals[0] if visuals else None,
            objects=visuals[1:],
            dummies=dummies,
            sizes=self.sizes,
            max_text_tokens=most,
            limit=limit,
            record=repr(record.id),
        )

    def _text_limit(self, visuals: Sequence[Visual]) -> tuple[int, str]:
        """Tokens of a row in which every picture counts as one, and what says so."""
        most, name = self.config.max_text_tokens, "data.chat.max_text_tokens"
        if self.config.max_positions is not None:
            lengths = [v.length or self.sizes.count(v.long) for v in visuals]
            left = max(self.config.max_positions - sum(lengths) + len(lengths), 1)
            if left < most:
                return left, "data.chat.max_positions"
        return most, name


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
