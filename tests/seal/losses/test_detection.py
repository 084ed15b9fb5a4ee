"""Detection losses: the reference's numbers, then what holds in general."""

from __future__ import annotations

import re

import pytest
import torch
import torch.nn.functional as F
from golden_files import counted, golden_cases, golden_tensors

from seal.losses.detection import focal_loss, giou_loss, l1_loss


def options(name):
    """`a.5g0` -> alpha 0.5 and gamma 0; `default` -> none."""
    found = re.fullmatch(r"a(-?[\d.]+)(?:g([\d.]+))?", name)
    given = zip(("alpha", "gamma"), found.groups(), strict=True) if found else ()
    return {option: float(value) for option, value in given if value is not None}


@pytest.mark.goldens("losses")
@pytest.mark.parametrize("case", golden_cases("losses", "focal"), ids=lambda c: c["prefix"])
def test_focal_loss_equals_the_reference(case):
    t, prefix = golden_tensors("losses"), case["prefix"]
    names = {key.removeprefix(prefix) for key in t if key.startswith(prefix)}
    for name in counted(sorted(names - {"inputs", "targets"})):
        loss = focal_loss(t[prefix + "inputs"], t[prefix + "targets"], **options(name))
        torch.testing.assert_close(loss.mean(1), t[prefix + name], atol=1e-5, rtol=1e-5)
    assert "default" in names


def test_focal_loss_without_focus_is_the_cross_entropy():
    logits, targets = torch.linspace(-3, 3, 8), torch.tensor([0.0, 1.0] * 4)
    plain = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    torch.testing.assert_close(focal_loss(logits, targets, alpha=-1, gamma=0), plain)


def test_focal_loss_weighs_easy_candidates_down():
    logits, targets = torch.tensor([-4.0, 0.0]), torch.zeros(2)
    plain = focal_loss(logits, targets, gamma=0)
    focused = focal_loss(logits, targets, gamma=2)
    easy, hard = (focused / plain).tolist()
    assert easy < 1e-3 < 0.2 < hard


def test_box_losses_vanish_on_equal_boxes_and_give_one_number_a_pair():
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.3], [0.3, 0.6, 0.1, 0.1]])
    moved = boxes + torch.tensor([[0.1, 0.0, 0.0, 0.0], [0.0, 0.0, 0.05, 0.05]])
    torch.testing.assert_close(l1_loss(boxes, boxes), torch.zeros(2))
    torch.testing.assert_close(giou_loss(boxes, boxes), torch.zeros(2))
    torch.testing.assert_close(l1_loss(moved, boxes), torch.tensor([0.1, 0.1]))
    assert (giou_loss(moved, boxes) > 0).all()
