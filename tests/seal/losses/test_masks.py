"""Mask losses: the reference's numbers, then what holds for all masks."""

from __future__ import annotations

import pytest
import torch
from golden_files import golden_cases, golden_tensors

from seal.losses.masks import bce_loss, dice_loss

CLOSE = {"atol": 1e-5, "rtol": 1e-5}


@pytest.mark.goldens("losses")
@pytest.mark.parametrize("case", golden_cases("losses", "masks"), ids=lambda c: c["prefix"])
def test_mask_losses_equal_the_reference(case):
    """The reference divides by the number of masks; ours leaves that to VSMLoss."""
    t, prefix, count = golden_tensors("losses"), case["prefix"], case["num_masks"]
    logits, masks = t[prefix + "inputs"], t[prefix + "targets"]
    torch.testing.assert_close(bce_loss(logits, masks) / count, t[prefix + "bce"], **CLOSE)
    torch.testing.assert_close(dice_loss(logits, masks) / count, t[prefix + "dice"], **CLOSE)
    unscaled = dice_loss(logits, masks, scale=1, eps=1e-3) / count
    torch.testing.assert_close(unscaled, t[prefix + "dice_scale1"], **CLOSE)
    if prefix + "seg_dice" in t:
        mean = dice_loss(logits, masks, scale=1, eps=1.0).mean()
        torch.testing.assert_close(mean[None], t[prefix + "seg_dice"], **CLOSE)


def test_a_sure_and_right_mask_costs_nothing_and_a_sure_and_wrong_one_all():
    masks = torch.zeros(2, 6, 6)
    masks[:, :3] = 1
    logits = 50 * (2 * masks - 1)
    logits[1] *= -1
    dice, bce = dice_loss(logits, masks), bce_loss(logits, masks)
    assert dice[0] < 1e-4 < 0.99 < dice[1]
    assert bce[0] < 1e-4 < 10 < bce[1]


def test_each_mask_is_judged_alone():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 5, 7, generator=generator)
    masks = (torch.rand(3, 5, 7, generator=generator) > 0.5).float()
    for loss in (dice_loss, bce_loss):
        alone = torch.cat([loss(logits[i : i + 1], masks[i : i + 1]) for i in range(3)])
        torch.testing.assert_close(loss(logits, masks), alone)
