"""A mask loses no pixel on its way, and a batch moves whole."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch
from mixed_batches import vsm_sample

from seal.batch import Mask
from seal.data.collate import collate


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (8, 8), (480, 641)])
def test_a_packed_mask_unpacks_to_its_pixels(shape):
    pixels = np.random.default_rng(0).integers(0, 2, shape)
    mask = Mask.pack(pixels)
    assert (mask.unpack().numpy() == pixels).all()
    assert mask.area == pixels.sum()
    assert len(mask.bits) == -(-pixels.size // 8)


def test_moving_a_batch_keeps_everything_it_says():
    samples = [vsm_sample(kind, torch.Generator().manual_seed(kind)) for kind in (2, 8)]
    batch = collate(samples, pad_id=0, pack=True)
    batch.step = 7
    moved = batch.to("cpu")
    for field in fields(batch):
        before, after = getattr(batch, field.name), getattr(moved, field.name)
        if isinstance(before, torch.Tensor):
            assert after.dtype == before.dtype and torch.equal(before, after), field.name
        elif field.name != "targets":
            assert before == after, field.name
    for before, after in zip(batch.targets, moved.targets, strict=True):
        assert torch.equal(before.boxes, after.boxes) if before.boxes is not None else True
        if before.mask is not None:
            assert torch.equal(before.mask.unpack(), after.mask.unpack())
