"""The matcher finds the reference's pairs, and the criterion on them its losses and gradients."""

from __future__ import annotations

import pytest
import torch
from golden_files import counted, golden_cases, golden_tensors
from plain_batches import match, mean_losses, plain_batch

from seal.batch import Batch, Target, VSMOutput
from seal.losses.detection import giou_loss
from seal.losses.vsm import VSMLoss, VSMLossConfig

CLOSE = {"atol": 1e-5, "rtol": 1e-5}
CASES = golden_cases("losses", "match")


def detection_batch(targets: list[Target]) -> Batch:
    """One conversation an expression, one supervised token in all."""
    count = len(targets)
    labels = torch.full((count, 2), -100)
    labels[0, 1] = 0
    return plain_batch(labels, targets)


@pytest.mark.goldens("losses")
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["prefix"])
def test_matched_pairs_equal_the_reference(case):
    t, prefix = golden_tensors("losses"), case["prefix"]
    for i, (rows, columns) in enumerate(counted(case["indices"])):
        logits, boxes = t[prefix + "pred_logits"][i, :, 0], t[prefix + "pred_boxes"][i]
        truth = t[f"{prefix}target{i}"]
        chosen, which = match(logits, boxes, truth)
        assert (chosen.tolist(), which.tolist()) == (rows, columns)
        terms = giou_loss(boxes[chosen], truth[which])
        place = sum(len(rows) for rows, _ in case["indices"][:i])
        wanted = t[prefix + "crit.loss_giou"][place : place + len(rows)] * case["num_boxes"]
        torch.testing.assert_close(terms, wanted, **CLOSE)


@pytest.mark.goldens("losses")
@pytest.mark.parametrize("case", CASES, ids=lambda c: c["prefix"])
def test_criterion_and_its_gradients_equal_the_reference(case):
    """`grad_of` in the golden: 2 focal (mean over expressions) + 5 L1 + 2 GIoU."""
    t, prefix = golden_tensors("losses"), case["prefix"]
    logits = t[prefix + "pred_logits"][..., 0].clone().requires_grad_()
    boxes = t[prefix + "pred_boxes"].clone().requires_grad_()
    targets = [Target(t[f"{prefix}target{i}"], None) for i in range(case["bs"])]
    output = VSMOutput(torch.zeros(1, 1), logits, boxes, torch.zeros(case["bs"], 4, 4))
    parts = mean_losses(VSMLoss(VSMLossConfig(detection=1.0)), detection_batch(targets), output)

    # The golden's number of boxes is averaged over the processes it pretends to have.
    share = max(sum(case["n_targets"]), 1) / case["num_boxes"]
    focal, l1, giou = parts["focal"] / 2, parts["l1"] / 5 * share, parts["giou"] / 2 * share
    stored = {name: t[f"{prefix}crit.{name}"] for name in ("loss_ce", "loss_bbox", "loss_giou")}
    torch.testing.assert_close(focal, stored["loss_ce"].mean(), **CLOSE)
    torch.testing.assert_close(l1, stored["loss_bbox"].sum(), **CLOSE)
    torch.testing.assert_close(giou, stored["loss_giou"].sum(), **CLOSE)

    (2 * focal + 5 * l1 + 2 * giou).backward()
    torch.testing.assert_close(logits.grad[..., None], t[prefix + "grad_logits"], **CLOSE)
    torch.testing.assert_close(boxes.grad, t[prefix + "grad_boxes"], **CLOSE)


def test_matching_is_one_to_one_and_finds_the_boxes_that_are_predicted():
    truth = torch.tensor([[0.2, 0.2, 0.1, 0.1], [0.7, 0.6, 0.2, 0.3], [0.5, 0.9, 0.1, 0.1]])
    boxes = torch.rand(12, 4, generator=torch.Generator().manual_seed(0)) * 0.1 + 0.05
    places = torch.tensor([7, 2, 9])
    boxes[places] = truth
    chosen, which = match(torch.zeros(12), boxes, truth)
    assert dict(zip(chosen.tolist(), which.tolist(), strict=True)) == {7: 0, 2: 1, 9: 2}


def test_more_boxes_than_candidates_leave_some_unmatched():
    chosen, which = match(torch.zeros(2), torch.rand(2, 4), torch.rand(5, 4) + 0.1)
    assert len(chosen) == len(which.unique()) == 2


def test_predictions_that_are_not_numbers_reach_the_loss_instead_of_failing_in_the_matcher():
    """The loop stops on a loss that is not finite and names the samples."""
    target = Target(torch.tensor([[0.5, 0.5, 0.2, 0.2]]), None)
    boxes = torch.full((1, 6, 4), torch.nan)
    output = VSMOutput(torch.zeros(1, 1), torch.zeros(1, 6), boxes, torch.zeros(1, 4, 4))
    parts = mean_losses(VSMLoss(), detection_batch([target]), output)
    assert parts["l1"].isnan()
