"""Search-model records to samples: expressions with boxes and masks, and chat beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seal.batch import VISUAL_TOKEN, Mask, Row, Sample, Target, Visual
from seal.data.chat import open_record_image
from seal.data.length_index import LengthIndex
from seal.data.masks import rle_to_mask
from seal.data.record_set import Expression, Record, RecordSet
from seal.data.tower_input import picture
from seal.geometry import Box
from seal.images import (
    BACKGROUND,
    Color,
    DetectorFit,
    detector_bytes,
    detector_frame,
    pad_to_square,
)
from seal.text.chat_template import choose_template
from seal.text.conversation import conversation_row
from seal.text.prompts import LOCATE_ANSWER, locate_question
from seal.text.quote import quoted
from seal.text.tokenize import Tokenizer
from seal.text.tokens import CHAT_LOC_SLOTS, IMAGE_PLACEHOLDER, LOC_TOKEN, VisualSizes


@dataclass(kw_only=True, slots=True)
class GroundingConfig:
    """How search-model records become rows and targets."""

    max_expressions: int = 3  # drawn from each image, each a row; 0: all of them
    max_length: int = 512  # positions of a row, visual ones included; longer rows are cut
    chat_loc_slot: str = "none"  # none | as_released: a masked [LOC] behind the image of a chat row
    # Scaffolds of the miniature; off elsewhere.
    min_box_pixels: float = 0.0  # boxes with no side this long on the detector's input teach the
    # box head that nothing is there; the heatmap still learns them. Makes zooming necessary.
    min_mask_pixels: int = 0  # every object fills at least n x n pixels of the mask logits
    mask_size: int = 192  # of the mask logits; only `min_mask_pixels` reads it

    def __post_init__(self) -> None:
        if self.chat_loc_slot not in CHAT_LOC_SLOTS:
            raise ValueError(
                f"chat_loc_slot={self.chat_loc_slot!r} is none of {', '.join(CHAT_LOC_SLOTS)}"
            )
        for name in ("max_expressions", "min_box_pixels", "min_mask_pixels"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.max_length < 1 or self.mask_size < 1:
            raise ValueError(
                f"max_length={self.max_length} and mask_size={self.mask_size} must be positive"
            )

    @property
    def positions(self) -> str:
        """The rule of `collate` that goes with these rows."""
        return "all" if self.chat_loc_slot == "as_released" else "attended"

    def build(
        self,
        records: RecordSet,
        tokenizer: Tokenizer,
        *,
        image_size: int,
        detector_size: int,
        sizes: VisualSizes,
        background: Color = BACKGROUND,
        detector_fit: DetectorFit = "stretch",
        queries: Mapping[str, Tensor] | None = None,
        prompt_style: str = "vicuna",
    ) -> GroundingDataset:
        """`image_size`, `detector_size`: pixels a side of the tower's and the detector's input.

        `background`: what the tower's pictures are squared with; `detector_fit`: how the
        detector's are. `prompt_style`: the model's. `queries`: by expression text, what
        `Target.query` is set to; a scaffold of the miniature.
        """
        return GroundingDataset(
            records,
            tokenizer,
            self,
            image_size=image_size,
            detector_size=detector_size,
            sizes=sizes,
            background=background,
            detector_fit=detector_fit,
            queries=queries,
            prompt_style=prompt_style,
        )


class GroundingDataset:
    """One sample an image: a row for each expression, and one for its conversation."""

    def __init__(
        self,
        records: RecordSet,
        tokenizer: Tokenizer,
        config: GroundingConfig,
        *,
        image_size: int,
        detector_size: int,
        sizes: VisualSizes,
        background: Color = BACKGROUND,
        detector_fit: DetectorFit = "stretch",
        queries: Mapping[str, Tensor] | None = None,
        seed: int = 0,
        prompt_style: str = "vicuna",
    ) -> None:
        if LOC_TOKEN not in tokenizer:
            raise ValueError(f"{tokenizer.folder}: a search model's tokenizer needs {LOC_TOKEN}")
        if config.max_length <= sizes.long:
            raise ValueError(
                f"max_length={config.max_length} leaves no text behind {sizes.long} visual tokens"
            )
        self.records = records
        self.tokenizer = tokenizer
        self.config = config
        self.image_size = image_size
        self.detector_size = detector_size
        self.sizes = sizes
        self.background = background
        self.detector_fit = detector_fit
        self.queries = queries or {}
        self.seed = seed
        self.prompt_style = prompt_style
        self._template = choose_template(tokenizer, "vsm", prompt_style)
        self.index: LengthIndex | None = None
        self._lengths: dict[tuple[str, bool], tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        return self.sample(index, np.random.default_rng((self.seed, index)))

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """The item, its expressions drawn with `rng`."""
        record = self.records[index]
        try:
            return self._sample(record, self._draw(record, rng))
        except ValueError as error:
            raise ValueError(f"{self.records.where(index)}: {error}") from error

    def length(self, index: int, rng: np.random.Generator) -> int:
        """Positions of its rows behind their common trunk, found without opening the image."""
        trunk, chat, *own = self.pieces(index) if self.index is None else self.index[index]
        return trunk + chat + sum(own[place] for place in self._places(len(own), rng))

    def pieces(self, index: int) -> list[int]:
        """What the index holds of a record: positions up to the end of its image, and behind it
        of its conversation (0: it has none) and of each of its expressions."""
        record = self.records[index]
        try:
            trunk = 0
            own = []
            for expression in record.expressions:
                trunk, length = self._expression_length(record, expression)
                own.append(length - trunk)
            chat = 0
            if record.conversations:
                (row,) = self._rows(record, ())
                trunk, chat = _image_end(row), len(row.input_ids) - _image_end(row)
        except ValueError as error:
            raise ValueError(f"{self.records.where(index)}: {error}") from error
        return [trunk, chat, *own]

    def _expression_length(self, record: Record, expression: Expression) -> tuple[int, int]:
        """Where the image of its row ends, and the row; class names come again and again."""
        key = expression.text, record.image is not None
        if key not in self._lengths:
            (row,) = self._rows(replace(record, conversations=()), (expression,))
            self._lengths[key] = _image_end(row), len(row.input_ids)
        return self._lengths[key]

    def _draw(self, record: Record, rng: np.random.Generator) -> tuple[Expression, ...]:
        return tuple(record.expressions[i] for i in self._places(len(record.expressions), rng))

    def _places(self, count: int, rng: np.random.Generator) -> list[int]:
        """Which of `count` expressions are drawn, in order."""
        few = self.config.max_expressions
        if few == 0 or count <= few:
            return list(range(count))
        return sorted(rng.choice(count, size=few, replace=False).tolist())

    def _sample(self, record: Record, expressions: tuple[Expression, ...]) -> Sample:
        rows = self._rows(record, expressions)
        path = self.records.image_path(record)
        if path is None:
            return Sample(record.id, rows)
        image = open_record_image(record, path)
        # The search model's tower saw its images in the top left corner of the square.
        square, _ = pad_to_square(image, "top_left", self.background)
        detector = None
        if expressions:
            pixels = detector_bytes(image, self.detector_size, self.detector_fit)
            detector = torch.from_numpy(pixels.copy())
        return Sample(
            record.id,
            rows,
            (picture(square, self.image_size),),
            detector,
            tuple(self._target(record, expression) for expression in expressions),
        )

    def _rows(self, record: Record, expressions: tuple[Expression, ...]) -> tuple[Row, ...]:
        if record.targets:
            raise ValueError(
                f"record {record.id!r}: the search model is shown no crops, but there are "
                f"{len(record.targets)} targets"
            )
        rows = [
            self._row(
                record,
                [(f"{IMAGE_PLACEHOLDER}\n{locate_question(expression.text)}", LOCATE_ANSWER)],
                masked_loc=False,
            )
            for expression in expressions
        ]
        if record.conversations:
            masked_loc = self.config.chat_loc_slot == "as_released"
            rows.append(self._row(record, record.turns, masked_loc=masked_loc))
            if rows[-1].loc_position is not None:
                raise ValueError(f"record {record.id!r}: a chat answer contains {LOC_TOKEN}")
        return tuple(rows)

    def _row(self, record: Record, turns: list[tuple[str, str]], *, masked_loc: bool) -> Row:
        shown = record.image is not None
        # The limit counts visual positions; a cut counts the image as one token.
        visual = self.sizes.long - 1 if shown else 0
        return conversation_row(
            self.tokenizer,
            self._template,
            turns,
            image=Visual(0, long=True) if shown else None,
            sizes=self.sizes,
            max_text_tokens=self.config.max_length - visual,
            limit="data.grounding.max_length",
            masked_loc=masked_loc,
            record=repr(record.id),
        )

    def _target(self, record: Record, expression: Expression) -> Target:
        boxes = expression.boxes
        if boxes is not None:
            boxes = tuple(box for box in boxes if self._can_be_seen(box, record))
        mask = None
        if expression.mask is not None:
            try:
                pixels = rle_to_mask(expression.mask)  # (H, W)
            except ValueError as error:
                mask_name = f"record {record.id!r}: the mask of {quoted(expression.text)}"
                raise ValueError(f"{mask_name}: {error}") from error
            if self.config.min_mask_pixels:
                pixels = self._dilated(pixels, expression)
            mask = Mask.pack(pixels)
        width, height = self._frame(record.width, record.height)
        extent = record.width / width, record.height / height
        return Target(
            None if boxes is None else boxes_cxcywh(boxes, width, height, extent),
            mask,
            self.queries.get(expression.text),
            extent,
        )

    def _frame(self, width: int, height: int) -> tuple[int, int]:
        """What the detector's square shows of an image of this size, padding included."""
        return detector_frame(width, height, self.detector_fit)

    def _can_be_seen(self, box: Box, record: Record) -> bool:
        """Whether some side is long enough on the detector's input."""
        frame_width, frame_height = self._frame(record.width, record.height)
        width = box.width / frame_width * self.detector_size
        height = box.height / frame_height * self.detector_size
        return max(width, height) >= self.config.min_box_pixels

    def _dilated(self, mask: NDArray[np.uint8], expression: Expression) -> NDArray[np.uint8]:
        """The mask with every object grown to `min_mask_pixels` pixels of the mask logits a side.

        mask: (H, W) -> (H, W). An object is a box; without boxes the whole mask is one object.
        """
        if not mask.any():
            return mask
        width, height = self._frame(mask.shape[1], mask.shape[0])
        least_width = self.config.min_mask_pixels / self.config.mask_size * width
        least_height = self.config.min_mask_pixels / self.config.mask_size * height
        mask = mask.copy()
        for box in expression.boxes or (_extent(mask),):
            if box.width >= least_width and box.height >= least_height:
                continue
            x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
            half_width = max(box.width, least_width) / 2
            half_height = max(box.height, least_height) / 2
            top, bottom = max(0, round(y - half_height)), round(y + half_height)
            left, right = max(0, round(x - half_width)), round(x + half_width)
            mask[top:bottom, left:right] = 1
        return mask


def _image_end(row: Row) -> int:
    """Positions up to the end of the row's image: what rows of one image share."""
    visual = (row.input_ids == VISUAL_TOKEN).nonzero()
    return int(visual[-1]) + 1 if len(visual) else 0


def boxes_cxcywh(
    boxes: tuple[Box, ...], width: int, height: int, extent: tuple[float, float] = (1.0, 1.0)
) -> Tensor:
    """(n, 4) cxcywh in [0, 1] of pixel boxes of a width x height frame, cut at the border of the
    image, which takes `extent` of it from the top left corner."""
    corners = torch.tensor(
        [(box.x0 / width, box.y0 / height, box.x1 / width, box.y1 / height) for box in boxes],
        dtype=torch.float32,
    ).reshape(-1, 4)
    border = torch.tensor([*extent, *extent], dtype=torch.float32)
    low, high = torch.minimum(corners.clamp(min=0), border).split(2, dim=1)
    return torch.cat([(low + high) / 2, high - low], dim=1)


def _extent(mask: NDArray[np.uint8]) -> Box:
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
