"""What models, losses and data exchange: targets, rows, samples, batches and model outputs.

Visual placeholders are expanded at tokenization: a row holds `VISUAL_TOKEN` once for every visual
embedding, so labels, attention mask and the `[LOC]` position line up with the sequence by
construction. What is written there is told apart by `Visual`, in order of appearance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seal.tiling import Tiling

VISUAL_TOKEN = -200  # stands where a visual embedding is written; never reaches the embedding table
IGNORE_INDEX = -100  # a label that carries no loss
KEPT_POLICY = -1  # `Row.level` of a row that shows its pictures as a token policy has it


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
    """One run of visual embeddings in a row: a picture."""

    image: int  # index into `Sample.images`; of a picture in tiles its first, the others follow
    long: bool  # through the linear projector (all tokens) or the resampler (few)
    attended: bool = True  # False: a dummy slot of `object_slots=padded`, masked out of attention
    # Positions it takes; 0: an even share of the row's visual positions.
    length: int = field(default=0, compare=False)
    level: int = 0  # tokens that a tile's are averaged to; 0: all of them
    tiling: Tiling | None = None  # None: the picture is one tile

    @property
    def num_tiles(self) -> int:
        """Of `Sample.images` that it shows."""
        return 1 if self.tiling is None else self.tiling.num_tiles


@dataclass(frozen=True, slots=True)
class Row:
    """One tokenized conversation."""

    input_ids: Tensor  # (L,) int64, `VISUAL_TOKEN` at visual positions
    labels: Tensor  # (L,) int64, `IGNORE_INDEX` where nothing is learnt
    visuals: tuple[Visual, ...] = ()  # in order of appearance
    attention_mask: Tensor | None = None  # (L,) bool; None: every position is attended
    loc_position: int | None = None  # where `[LOC]` stands; None: a row without one (chat)
    # Of the granularity its loss counts for; 0: of each; `KEPT_POLICY`: of none of them.
    level: int = 0

    @property
    def text_ids(self) -> Tensor:
        """(K,) int64: the words that are no answer to be learnt; what a router chooses by."""
        asked = (self.input_ids != VISUAL_TOKEN) & (self.labels == IGNORE_INDEX)
        if self.attention_mask is not None:
            asked &= self.attention_mask
        return self.input_ids[asked]


@dataclass(frozen=True, slots=True)
class Routed:
    """A picture whose level a router is to learn to choose."""

    visual: Visual  # its tiles
    text_ids: Tensor  # (K,) int64: the words it chooses by
    rows: tuple[int, ...]  # of `Sample.rows`, one a level, coarse to fine: their losses teach it


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
    routed: tuple[Routed, ...] = ()  # pictures of the training of a router


@dataclass(frozen=True, slots=True)
class Document:
    """A stretch of a packed row whose positions attend to none outside it.

    A tree has a trunk, which all its branches attend to. Where they are `limbs`, each is attended
    to on its own; a tree that is `branched` is read under a mask.
    """

    length: int  # positions
    branched: bool = False  # `Batch.branches` tells who attends to whom
    limbs: tuple[int, ...] = ()  # positions of each branch; what is in front of them is the trunk

    @property
    def squares(self) -> float:
        """Pairs of positions, about twice what attention compares."""
        trunk = self.length - sum(self.limbs)
        return trunk**2 + sum((trunk + limb) ** 2 - trunk**2 for limb in self.limbs)


@dataclass(slots=True)
class Routes:
    """P pictures whose level a router chooses, and the words it chooses by."""

    tiles: Tensor  # (T,) int64 places among `Batch.long_images`, a picture's in order
    counts: tuple[int, ...]  # tiles of each picture, the one of the whole picture first
    text_ids: Tensor  # (P, K) int64, -1 behind a picture's last
    keys: tuple[int, ...]  # a number for each, which its dropout is drawn from
    rows: Tensor  # (P, levels) int64 conversations whose losses teach it; -1: there are none
    tokens: Tensor  # (P, levels) int64 visual tokens of the picture in each of them

    @classmethod
    def of(
        cls,
        tiles: Sequence[Sequence[int]],
        text_ids: Sequence[Tensor],
        *,
        keys: Sequence[int] | None = None,
        rows: Sequence[Sequence[int]] | None = None,
        tokens: Sequence[Sequence[int]] | None = None,
    ) -> Routes:
        """From what each picture has; `keys`, `rows` and `tokens` are of training."""
        counts = tuple(map(len, tiles))
        texts = torch.full((len(tiles), max(map(len, text_ids))), -1, dtype=torch.int64)
        for row, ids in zip(texts, text_ids, strict=True):
            row[: len(ids)] = ids
        return cls(
            torch.tensor([tile for own in tiles for tile in own], dtype=torch.int64),
            counts,
            texts,
            tuple(keys or [0] * len(counts)),
            torch.tensor(rows or [[-1]] * len(counts), dtype=torch.int64),
            torch.tensor(tokens or [[-1]] * len(counts), dtype=torch.int64),
        )

    def to(self, device: torch.device | str) -> Routes:
        """The same on `device`."""
        return self.mapped(lambda tensor: tensor.to(device, non_blocking=True))

    def mapped(self, move: Callable[[Tensor], Tensor]) -> Routes:
        """With each tensor as `move` returns it."""
        return Routes(
            move(self.tiles), self.counts, move(self.text_ids), self.keys, move(self.rows),
            move(self.tokens),
        )  # fmt: skip


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
    # (P,) int64: which one, of one table: the long images' tokens at each of `long_levels`, the
    # short images', the newline.
    visual_sources: Tensor
    long_levels: tuple[int, ...]  # tokens a long image is shown by, finest first; (): none is shown
    short_length: int  # tokens of a short image; 0: none is shown
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
    routes: Routes | None = None  # of the training of a router
    row_levels: tuple[int, ...] = ()  # (R,) `Row.level` of each conversation
    step: int = 0  # with `row_keys`, what dropout draws from

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on `device`."""
        return self._map(lambda value: value.to(device, non_blocking=True))

    def pin_memory(self) -> Batch:
        """The same batch in memory a device reads by itself, while the host goes on."""
        return self._map(Tensor.pin_memory)

    def _map(self, move: Callable[[Tensor], Tensor]) -> Batch:
        def moved(value: Any) -> Any:
            if isinstance(value, Routes):
                return value.mapped(move)
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
    router_scores: Tensor | None = None  # (P, levels) of the pictures of `Batch.routes`


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
