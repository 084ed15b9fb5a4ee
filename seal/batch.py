"""What models, losses and data exchange: targets, rows, samples, batches and model outputs.

Visual placeholders are expanded at tokenization: a row holds `VISUAL_TOKEN` once for every visual
embedding, so labels, attention mask and the `[LOC]` position line up with the sequence by
construction. What is written there is told apart by `Visual`, in order of appearance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

VISUAL_TOKEN = -200  # stands where a visual embedding is written; never reaches the embedding table
IGNORE_INDEX = -100  # a label that carries no loss


@dataclass(frozen=True, slots=True)
class Mask:
    """Pixels of 0 or 1 as bits: an eighth of what bytes take on the way to the device."""

    bits: Tensor  # (ceil(height * width / 8),) uint8, row by row, highest bit first
    height: int
    width: int
    area: int  # pixels of 1; known without looking, so that nobody waits for a device

    @classmethod
    def pack(cls, pixels: Tensor | np.ndarray) -> Mask:
        """(H, W) of zeros and ones."""
        array = np.asarray(pixels) != 0
        height, width = array.shape
        return cls(torch.from_numpy(np.packbits(array)), height, width, int(array.sum()))

    def unpack(self) -> Tensor:
        """(H, W) uint8 of zeros and ones, where the bits are."""
        place = torch.arange(7, -1, -1, dtype=torch.uint8, device=self.bits.device)
        pixels = (self.bits[:, None] >> place) & 1
        return pixels.flatten()[: self.height * self.width].view(self.height, self.width)


@dataclass(frozen=True, slots=True)
class Target:
    """What is known about one expression on one image. `None` means not annotated."""

    # (n, 4) cxcywh in [0, 1] of the detector's square; n = 0: the thing is absent
    boxes: Tensor | None
    mask: Mask | None  # of the image, of any resolution; None: no mask supervision
    # (K,) embedding the box decoder's query is pulled to; a scaffold (VSMLossConfig), else unused
    query: Tensor | None = None
    # How much of the square's width and height the image takes; the rest is padding.
    extent: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Visual:
    """One run of visual embeddings in a row."""

    image: int  # index into `Sample.images`
    long: bool  # through the linear projector (all tokens) or the resampler (few)
    attended: bool = True  # False: a dummy slot of `object_slots=padded`, masked out of attention
    # Positions it takes; 0: an even share of the row's visual positions.
    length: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One tokenized conversation."""

    input_ids: Tensor  # (L,) int64, `VISUAL_TOKEN` at visual positions
    labels: Tensor  # (L,) int64, `IGNORE_INDEX` where nothing is learnt
    visuals: tuple[Visual, ...] = ()  # in order of appearance
    attention_mask: Tensor | None = None  # (L,) bool; None: every position is attended
    loc_position: int | None = None  # where `[LOC]` stands; None: a row without one (chat)


@dataclass(frozen=True, slots=True)
class Sample:
    """One record, ready to be batched: its pixels once, its conversations as rows."""

    id: str
    rows: tuple[Row, ...]
    images: tuple[Tensor, ...] = ()  # of the tower, each (3, S, S): bytes, or normalized float32
    detector_image: Tensor | None = None  # (3, D, D): bytes, or normalized float32
    targets: tuple[Target, ...] = ()  # one per row that has a `[LOC]`, in order
    source: str = ""  # the mixture's name of the record set it is from
    replaced: tuple[str, ...] = ()  # unreadable samples it stands for, and what is wrong with them


@dataclass(frozen=True, slots=True)
class Document:
    """A stretch of a packed row whose positions attend to none outside it."""

    length: int  # positions
    branched: bool = False  # a tree: `Batch.branches` tells who attends to whom


@dataclass(slots=True)
class Batch:
    """R conversations as B rows of up to L positions. Made by `seal.data.collate` only.

    Padded: a row a conversation. Packed: one row, whose `documents` stand one behind the other. A
    position is named by its place in the flattened (B, L). Whatever the model needs to gather or to
    write is an index made on the host, so that no forward pass waits to learn a size.
    """

    ids: list[str]  # (R,) the sample id of each conversation
    input_ids: Tensor  # (B, L) int64
    labels: Tensor  # (B, L) int64; to look at: the loss reads `label_ids`
    attention_mask: Tensor  # (B, L) bool
    position_ids: Tensor  # (B, L) int64
    row_keys: Tensor  # (B, L) int64: a number for the conversation a position belongs to
    pixel_values: Tensor  # (N, 3, S, S): each image once, however many rows show it; N may be 0
    long_images: Tensor  # int64: the images that some row shows through the linear projector
    short_images: Tensor  # int64: those that some row shows through the resampler
    visual_positions: Tensor  # (P,) int64: where a visual embedding is written
    visual_sources: Tensor  # (P,) int64: which one, of the long images' tokens and the short ones'
    visual_lengths: tuple[int, int]  # positions of an image through each projector; 0: none shown
    label_positions: Tensor  # (T,) int64: positions that predict a label, row by row
    label_ids: Tensor  # (T,) int64: the token each of them must predict
    label_rows: Tensor  # (T,) int64: the conversation each of them is of
    documents: tuple[Document, ...] = ()  # of a packed batch
    branches: Tensor | None = None  # (B, L) int64: 0 in the trunk of a tree, then its branches
    detector_pixels: Tensor | None = None  # (M, 3, D, D)
    loc_positions: Tensor | None = None  # (E,) int64: positions that predict a `[LOC]` (oddity 9)
    expression_image: Tensor | None = None  # (E,) int64: its index into `detector_pixels`
    targets: list[Target] = field(default_factory=list)  # (E,)
    sources: list[str] = field(default_factory=list)  # (R,) `Sample.source` of each conversation
    replaced: list[str] = field(default_factory=list)  # the `Sample.replaced` of all samples
    step: int = 0  # with `row_keys`, what dropout draws from

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on `device`."""
        return self._map(lambda value: value.to(device, non_blocking=True))

    def pin_memory(self) -> Batch:
        """The same batch in memory a device reads by itself, while the host goes on."""
        return self._map(Tensor.pin_memory)

    def _map(self, move: Callable[[Tensor], Tensor]) -> Batch:
        def moved(value: Any) -> Any:
            return move(value) if isinstance(value, Tensor) else value

        changed = {f.name: moved(getattr(self, f.name)) for f in fields(self)}
        changed["targets"] = [
            Target(
                None if t.boxes is None else move(t.boxes),
                None if t.mask is None else replace(t.mask, bits=move(t.mask.bits)),
                None if t.query is None else move(t.query),
                t.extent,
            )
            for t in self.targets
        ]
        return Batch(**changed)


@dataclass  # without slots: ZeRO-3 looks for tensors in `vars(output)` of every module
class VQAOutput:
    """logits: (T, vocabulary), one row per position of `Batch.label_positions`, in its order."""

    logits: Tensor


@dataclass  # without slots, as above
class VSMOutput:
    """What the search model predicts for a batch of T supervised tokens and E expressions.

    Q candidates per image. A batch without expressions has E = 0.
    """

    logits: Tensor  # (T, vocabulary)
    pred_logits: Tensor  # (E, Q)
    pred_boxes: Tensor  # (E, Q, 4) cxcywh in [0, 1]
    pred_masks: Tensor  # (E, h, w) logits
    pred_queries: Tensor | None = None  # (E, K) of the box decoder, what its class head is given
