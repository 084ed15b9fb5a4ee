"""Put samples into one batch: lay the rows out, show each image once, make every index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seal.batch import IGNORE_INDEX, Batch, Row, Sample
from seal.data.keys import row_keys as keys_of
from seal.data.layout import Ints, Layout, joined, packed, padded
from seal.data.visual_table import visual_table

# `attended` counts what a row attends to; `all` counts masked positions inside a row as well, as
# the released training did (`object_slots=padded`, `chat_loc_slot=as_released`).
POSITION_RULES = ("attended", "all")
SIDES = ("right", "left")


def collate(
    samples: Sequence[Sample],
    *,
    pad_id: int,
    side: str = "right",
    positions: str = "attended",
    pack: bool = False,
) -> Batch:
    """The rows of all samples in order, padded on `side` to the longest, or packed into one row.

    Images are deduplicated by identity: a picture that several rows of a sample show, or one tensor
    object that several samples share, is encoded once.

    Args:
        pack: lay the conversations one behind the other; those of one sample become a tree whose
            trunk is what they begin with (`seal.data.layout.trunk_length`). Every position must be
            attended.
    """
    if side not in SIDES or positions not in POSITION_RULES:
        raise ValueError(
            f"side={side!r} must be one of {SIDES}, positions={positions!r} of {POSITION_RULES}"
        )
    rows = [(sample, row) for sample in samples for row in sample.rows]
    if not rows:
        raise ValueError("a batch needs at least one row")
    layout = packed(samples) if pack else padded([row for _, row in rows], side)
    size = layout.rows * layout.length
    input_ids = np.full(size, pad_id, np.int64)
    labels = np.full(size, IGNORE_INDEX, np.int64)
    attention_mask = np.zeros(size, bool)
    position_ids, row_keys, branches = (np.zeros(size, np.int64) for _ in range(3))
    learnt: list[tuple[Ints, Ints]] = []  # of each row: the predicting positions, and the labels
    keys = keys_of(samples)
    for index, (_, row) in enumerate(rows):
        where, own = layout.where[index], layout.own(index)
        ids, row_labels, mask = row.input_ids.numpy(), row.labels.numpy(), _mask(row)
        counted = np.arange(len(ids)) if positions == "all" else (mask.cumsum() - 1).clip(min=0)
        new = where[own:]  # the trunk is there already
        input_ids[new] = ids[own:]
        labels[new] = row_labels[own:]
        attention_mask[new] = mask[own:]
        position_ids[new] = counted[own:]
        row_keys[new] = keys[index]
        branches[where[layout.trunk[index] :]] = layout.branch[index]
        # The first token of all is predicted by nothing.
        at = 1 + np.flatnonzero(row_labels[1:] != IGNORE_INDEX)
        learnt.append((where[at - 1], row_labels[at]))

    def shaped(values: NDArray) -> Tensor:
        return torch.from_numpy(values).view(layout.rows, layout.length)

    batch = Batch(
        ids=[sample.id for sample, _ in rows],
        input_ids=shaped(input_ids),
        labels=shaped(labels),
        attention_mask=shaped(attention_mask),
        position_ids=shaped(position_ids),
        row_keys=shaped(row_keys),
        **visual_table(samples, layout),  # type: ignore[arg-type]
        label_positions=joined([at for at, _ in learnt]),
        label_ids=joined([wanted for _, wanted in learnt]),
        label_rows=torch.repeat_interleave(torch.tensor([len(at) for at, _ in learnt])),
        documents=layout.documents,
        branches=shaped(branches) if any(d.branched for d in layout.documents) else None,
        sources=[sample.source for sample, _ in rows],
        row_levels=tuple(row.level for _, row in rows),
        replaced=[text for sample in samples for text in sample.replaced],
    )
    _add_expressions(batch, samples, layout)
    return batch


def _mask(row: Row) -> NDArray[np.bool_]:
    if row.attention_mask is not None:
        mask: NDArray[np.bool_] = row.attention_mask.numpy()
        return mask
    return np.ones(len(row.input_ids), bool)


def _add_expressions(batch: Batch, samples: Sequence[Sample], layout: Layout) -> None:
    """Detector pixels, and for each `[LOC]` the position that predicts it, image and target."""
    loc_positions: list[int] = []
    expression_image: list[int] = []
    detector: list[Tensor] = []
    numbered = iter(layout.where)
    for sample in samples:
        located = 0
        for row in sample.rows:
            where = next(numbered)
            if row.loc_position is not None:
                if sample.detector_image is None:
                    raise ValueError(f"sample {sample.id}: a [LOC] without detector pixels")
                loc_positions.append(int(where[row.loc_position - 1]))
                expression_image.append(len(detector))
                located += 1
        if located != len(sample.targets):
            raise ValueError(
                f"sample {sample.id}: {located} rows with [LOC], {len(sample.targets)} targets"
            )
        batch.targets.extend(sample.targets)
        if sample.detector_image is not None:
            detector.append(sample.detector_image)
    if not detector:
        return
    batch.detector_pixels = torch.stack(detector)  # (M, 3, D, D)
    batch.loc_positions = torch.tensor(loc_positions, dtype=torch.int64)
    batch.expression_image = torch.tensor(expression_image, dtype=torch.int64)
