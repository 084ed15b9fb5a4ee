"""What models, losses and data exchange: targets, rows, samples, batches and model outputs.

Visual placeholders are expanded at tokenization: a row holds `VISUAL_TOKEN` once for every visual
embedding, so labels, attention mask and the `[LOC]` position line up with the sequence by
construction. What is written there is told apart by `Visual`, in order of appearance.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import torch
from torch import Tensor

VISUAL_TOKEN = -200  # stands where a visual embedding is written; never reaches the embedding table
IGNORE_INDEX = -100  # a label that carries no loss


@dataclass(frozen=True, slots=True)
class Target:
    """What is known about one expression on one image. `None` means not annotated."""

    boxes: Tensor | None  # (n, 4) cxcywh in [0, 1] of the image; n = 0: the thing is absent
    mask: Tensor | None  # (H, W) float 0/1, any resolution; None: no mask supervision
    # (K,) embedding the box decoder's query is pulled to; a scaffold (VSMLossConfig), else unused
    query: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Visual:
    """One run of visual embeddings in a row."""

    image: int  # index into `Sample.images`
    long: bool  # through the linear projector (all tokens) or the resampler (few)
    attended: bool = True  # False: a dummy slot of `object_slots=padded`, masked out of attention


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
    images: tuple[Tensor, ...] = ()  # CLIP pixels, each (3, S, S) float32
    detector_image: Tensor | None = None  # OWL-ViT pixels (3, D, D) float32
    targets: tuple[Target, ...] = ()  # one per row that has a `[LOC]`, in order
    source: str = ""  # the mixture's name of the record set it is from
    replaced: tuple[str, ...] = ()  # unreadable samples it stands for, and what is wrong with them


@dataclass(slots=True)
class Batch:
    """B rows of up to L positions. Made by `seal.data.collate` only."""

    ids: list[str]  # (B,) the sample id of each row
    input_ids: Tensor  # (B, L) int64
    labels: Tensor  # (B, L) int64
    attention_mask: Tensor  # (B, L) bool
    position_ids: Tensor  # (B, L) int64
    pixel_values: Tensor  # (N, 3, S, S): each image once, however many rows show it; N may be 0
    visual_image: Tensor  # (V,) int64: image of each run of visual embeddings, row by row
    visual_long: Tensor  # (V,) bool: which projector serves it
    detector_pixels: Tensor | None = None  # (M, 3, D, D)
    loc_rows: Tensor | None = None  # (E,) int64: the row of each expression
    loc_positions: Tensor | None = None  # (E,) int64: where its `[LOC]` stands in that row
    expression_image: Tensor | None = None  # (E,) int64: its index into `detector_pixels`
    targets: list[Target] = field(default_factory=list)  # (E,)
    step: int = 0  # with `ids`, what dropout draws from
    sources: list[str] = field(default_factory=list)  # (B,) the `Sample.source` of each row
    replaced: list[str] = field(default_factory=list)  # the `Sample.replaced` of all samples

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Batch:
        """The same batch on `device`; floating tensors in `dtype` if given (targets stay as is)."""

        def move(value: object) -> object:
            if isinstance(value, Tensor):
                floating = dtype is not None and value.is_floating_point()
                return value.to(device, dtype if floating else None, non_blocking=True)
            return value

        moved = {f.name: move(getattr(self, f.name)) for f in fields(self)}
        moved["targets"] = [
            Target(
                None if t.boxes is None else t.boxes.to(device, non_blocking=True),
                None if t.mask is None else t.mask.to(device, non_blocking=True),
                None if t.query is None else t.query.to(device, non_blocking=True),
            )
            for t in self.targets
        ]
        return Batch(**moved)  # type: ignore[arg-type]

    @property
    def supervised(self) -> Tensor:
        """(B, L) bool: positions whose *next* token carries a label (where logits are needed)."""
        needed = torch.zeros_like(self.labels, dtype=torch.bool)
        needed[:, :-1] = self.labels[:, 1:] != IGNORE_INDEX
        return needed

    @property
    def supervised_labels(self) -> Tensor:
        """(T,) int64: the label each of the T supervised positions must predict, row by row."""
        shifted = self.labels[:, 1:]
        return shifted[shifted != IGNORE_INDEX]


@dataclass  # without slots: ZeRO-3 looks for tensors in `vars(output)` of every module
class VQAOutput:
    """logits: (T, vocabulary), one row per position of `Batch.supervised`, in its order."""

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
