"""Put samples into one batch: pad the rows, count positions, show each image once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from seal.batch import IGNORE_INDEX, Batch, Row, Sample

# `attended` counts what a row attends to; `all` counts masked positions inside a row as well, as
# the released training did (`object_slots=padded`, `chat_loc_slot=as_released`).
POSITION_RULES = ("attended", "all")
SIDES = ("right", "left")


def collate(
    samples: Sequence[Sample], *, pad_id: int, side: str = "right", positions: str = "attended"
) -> Batch:
    """The rows of all samples in order, padded on `side` to the longest.

    Images are deduplicated by identity: a picture that several rows of a sample show, or one tensor
    object that several samples share, is encoded once.
    """
    if side not in SIDES or positions not in POSITION_RULES:
        raise ValueError(
            f"side={side!r} must be one of {SIDES}, positions={positions!r} of {POSITION_RULES}"
        )
    rows = [(sample, row) for sample in samples for row in sample.rows]
    if not rows:
        raise ValueError("a batch needs at least one row")
    length = max(len(row.input_ids) for _, row in rows)

    input_ids = torch.full((len(rows), length), pad_id, dtype=torch.int64)
    labels = torch.full((len(rows), length), IGNORE_INDEX, dtype=torch.int64)
    attention_mask = torch.zeros((len(rows), length), dtype=torch.bool)
    position_ids = torch.zeros((len(rows), length), dtype=torch.int64)
    first = []  # where each row starts
    for index, (_, row) in enumerate(rows):
        count = len(row.input_ids)
        start = length - count if side == "left" else 0
        span = slice(start, start + count)
        first.append(start)
        mask = _mask(row)
        input_ids[index, span] = row.input_ids
        labels[index, span] = row.labels
        attention_mask[index, span] = mask
        position_ids[index, span] = (
            torch.arange(count) if positions == "all" else (mask.cumsum(0) - 1).clamp(min=0)
        )
    pixels, visual_image, visual_long = _visuals(samples)
    batch = Batch(
        ids=[sample.id for sample, _ in rows],
        input_ids=input_ids,
        labels=labels,
        attention_mask=attention_mask,
        position_ids=position_ids,
        pixel_values=pixels,
        visual_image=torch.tensor(visual_image, dtype=torch.int64),
        visual_long=torch.tensor(visual_long, dtype=torch.bool),
        sources=[sample.source for sample, _ in rows],
        replaced=[text for sample in samples for text in sample.replaced],
    )
    _add_expressions(batch, samples, first)
    return batch


def _mask(row: Row) -> Tensor:
    if row.attention_mask is not None:
        return row.attention_mask
    return torch.ones(len(row.input_ids), dtype=torch.bool)


def _visuals(samples: Sequence[Sample]) -> tuple[Tensor, list[int], list[bool]]:
    """(N, 3, S, S) distinct images, and which image and projector serve each run, row by row."""
    place: dict[int, int] = {}  # identity of a picture -> its place in the batch
    pictures: list[Tensor] = []
    visual_image: list[int] = []
    visual_long: list[bool] = []
    for sample in samples:
        for row in sample.rows:
            for visual in row.visuals:
                picture = sample.images[visual.image]
                if id(picture) not in place:
                    place[id(picture)] = len(pictures)
                    pictures.append(picture)
                visual_image.append(place[id(picture)])
                visual_long.append(visual.long)
    pixels = torch.stack(pictures) if pictures else torch.zeros((0, 3, 0, 0))
    return pixels, visual_image, visual_long


def _add_expressions(batch: Batch, samples: Sequence[Sample], first: Sequence[int]) -> None:
    """Detector pixels, and for each `[LOC]` its row, position, image and target."""
    loc_rows: list[int] = []
    loc_positions: list[int] = []
    expression_image: list[int] = []
    detector: list[Tensor] = []
    number = 0
    for sample in samples:
        located = 0
        for row in sample.rows:
            if row.loc_position is not None:
                if sample.detector_image is None:
                    raise ValueError(f"sample {sample.id}: a [LOC] without detector pixels")
                loc_rows.append(number)
                loc_positions.append(first[number] + row.loc_position)
                expression_image.append(len(detector))
                located += 1
            number += 1
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
    batch.loc_rows = torch.tensor(loc_rows, dtype=torch.int64)
    batch.loc_positions = torch.tensor(loc_positions, dtype=torch.int64)
    batch.expression_image = torch.tensor(expression_image, dtype=torch.int64)
