"""How the search model's loss is put together: weights, normalization, absent supervision."""

from __future__ import annotations

import pytest
import torch
from plain_batches import mean_losses, plain_batch

from seal.batch import Batch, Mask, Target, VSMOutput
from seal.losses.detection import focal_loss
from seal.losses.vsm import VSMLoss, VSMLossConfig, mask_losses

PARTS = {"ce", "bce", "dice", "focal", "l1", "giou"}
BOX = torch.tensor([[0.4, 0.5, 0.2, 0.3]])
TWO = torch.tensor([[0.4, 0.5, 0.2, 0.3], [0.7, 0.2, 0.1, 0.1]])


def a_batch(targets: list[Target], *, num_rows: int | None = None, step: int = 0) -> Batch:
    count = len(targets) if num_rows is None else num_rows
    labels = torch.full((count, 3), -100)
    labels[:, 2] = 1
    return plain_batch(labels, targets, step)


def an_output(num_expressions: int, num_tokens: int, seed: int = 0) -> VSMOutput:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).requires_grad_()

    boxes = (draw(num_expressions, 9, 4) * 0.3).sigmoid() * 0.5
    return VSMOutput(
        draw(num_tokens, 7),
        draw(num_expressions, 9),
        boxes,
        draw(num_expressions, 8, 8),
        draw(num_expressions, 5),
    )


def losses(targets, *, num_rows=None, step=0, seed=0, **options):
    batch = a_batch(targets, num_rows=num_rows, step=step)
    output = an_output(len(targets), len(batch.ids), seed)
    return mean_losses(VSMLoss(VSMLossConfig(**options)), batch, output), output


def test_parts_are_named_and_their_weights_enter_once():
    mask = Mask.pack(torch.ones(5, 6))
    ones = dict.fromkeys(("bce", "dice", "detection", "focal", "l1", "giou"), 1.0)
    plain, _ = losses([Target(TWO, mask)], **ones)
    weighted, _ = losses([Target(TWO, mask)])
    assert set(plain) == set(weighted) == PARTS
    weights = {"ce": 1.0, "bce": 2.0, "dice": 0.5, "focal": 0.2, "l1": 0.5, "giou": 0.2}
    for name, weight in weights.items():
        torch.testing.assert_close(weighted[name], weight * plain[name])


@pytest.mark.parametrize("num_expressions", [0, 2])
def test_without_supervision_the_parts_are_zeros_that_still_reach_every_prediction(num_expressions):
    """Under DDP and ZeRO-3 every rank must send a gradient for every parameter."""
    parts, output = losses([Target(None, None)] * num_expressions, num_rows=2)
    assert all(parts[name] == 0 for name in PARTS - {"ce"})
    sum(parts.values()).backward()
    assert output.pred_logits.grad is not None and not output.pred_logits.grad.any()
    assert output.pred_masks.grad is not None and not output.pred_masks.grad.any()


def test_an_absent_thing_pushes_every_candidate_down_and_has_no_box_loss():
    parts, output = losses([Target(torch.zeros(0, 4), None)])
    assert parts["l1"] == parts["giou"] == 0
    parts["focal"].backward()
    assert (output.pred_logits.grad > 0).all()


def test_focal_is_averaged_over_all_conversations_unless_told_otherwise():
    """Oddity 12: rows without boxes contribute zero and count."""
    targets = [Target(BOX, None), Target(None, None)]
    released, _ = losses(targets, num_rows=5)
    supervised, _ = losses(targets, num_rows=5, focal_reduction="supervised")
    torch.testing.assert_close(released["focal"] * 5, supervised["focal"])
    torch.testing.assert_close(released["l1"], supervised["l1"])


def test_the_weight_of_focal_does_not_depend_on_whether_chat_rows_carry_a_slot():
    """Oddity 27: the released layout makes every chat row an unsupervised expression."""
    without, _ = losses([Target(BOX, None)], num_rows=2)
    batch = a_batch([Target(BOX, None), Target(None, None)])
    output = an_output(1, 2)
    doubled = [torch.cat([x, torch.zeros_like(x)]) for x in
               (output.pred_logits, output.pred_boxes, output.pred_masks)]  # fmt: skip
    slots = mean_losses(VSMLoss(), batch, VSMOutput(output.logits, *doubled))
    for name in PARTS:
        torch.testing.assert_close(slots[name], without[name])


def test_focal_wants_exactly_the_matched_candidates():
    parts, output = losses([Target(TWO, None)], detection=1.0, focal=1.0)
    flat = output.pred_logits[0].detach()
    sums = []
    for first in range(9):
        for second in range(first):
            wanted = torch.zeros(9)
            wanted[[first, second]] = 1
            sums.append(focal_loss(flat, wanted).sum().item())
    assert min(abs(value - parts["focal"].item()) for value in sums) < 1e-5


def test_boxes_are_averaged_over_the_supervised_ones():
    both, _ = losses([Target(TWO, None), Target(BOX, None)])
    output = an_output(2, 2)
    alone = []
    for index, boxes in enumerate((TWO, BOX)):
        one = VSMOutput(
            output.logits[:1],
            *(x[index : index + 1] for x in (output.pred_logits, output.pred_boxes)),
            output.pred_masks[index : index + 1],
        )
        alone.append(mean_losses(VSMLoss(), a_batch([Target(boxes, None)]), one))
    for name in ("l1", "giou"):
        torch.testing.assert_close(both[name], (2 * alone[0][name] + alone[1][name]) / 3)


def test_giou_as_released_is_the_sum_with_a_box_of_the_whole_image_for_the_unannotated():
    """Oddity 11; without any annotated box it is zero."""
    annotated = [Target(TWO, None), Target(None, None)]
    released, _ = losses(annotated, giou_reduction="as_released")
    whole = [Target(TWO, None), Target(torch.tensor([[0.5, 0.5, 1.0, 1.0]]), None)]
    averaged, _ = losses(whole)
    torch.testing.assert_close(released["giou"], averaged["giou"] * 3)
    nothing, _ = losses([Target(None, None)] * 2, giou_reduction="as_released")
    assert nothing["giou"] == 0


def test_masks_are_judged_at_their_own_size_and_summed_over_those_that_exist():
    logits = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(1))
    masks = [Mask.pack(torch.ones(8, 8)), None, Mask.pack(torch.zeros(5, 11))]
    bce, dice = mask_losses(logits, [Target(None, mask) for mask in masks])
    pairs = [(0, masks[0]), (2, masks[2])]
    alone = [mask_losses(logits[i : i + 1], [Target(None, mask)]) for i, mask in pairs]
    torch.testing.assert_close(bce, alone[0][0] + alone[1][0])
    torch.testing.assert_close(dice, alone[0][1] + alone[1][1])


def test_the_dice_of_empty_masks_can_be_left_out_and_their_bce_stays():
    masks = [Mask.pack(torch.ones(4, 4)), Mask.pack(torch.zeros(4, 4))]
    logits = torch.randn(2, 8, 8)
    targets = [Target(None, mask) for mask in masks]
    (bce, dice), (bce_without, dice_without) = (
        mask_losses(logits, targets, dice_of_empty=chosen) for chosen in (True, False)
    )
    assert bce_without == bce and dice_without != dice
    assert dice_without == mask_losses(logits[:1], targets[:1])[1]


def test_query_alignment_is_off_by_default_and_ends_after_its_steps():
    direction = torch.ones(5)
    targets = [Target(BOX, None, direction), Target(BOX, None)]
    options = {"query_alignment": 3.0, "query_alignment_steps": 10}
    assert set(losses(targets)[0]) == PARTS
    early, output = losses(targets, step=9, **options)
    late, _ = losses(targets, step=10, **options)
    assert early["query_alignment"] > 0 == late["query_alignment"]
    early["query_alignment"].backward()
    assert output.pred_queries.grad[0].any() and not output.pred_queries.grad[1].any()


def test_query_alignment_vanishes_where_the_query_points_the_same_way():
    targets = [Target(BOX, None, 7 * an_output(1, 1).pred_queries[0].detach())]
    parts, _ = losses(targets, query_alignment=1.0, query_alignment_steps=1)
    assert parts["query_alignment"].abs() < 1e-6


@pytest.mark.parametrize(
    "wrong",
    [
        {"giou_reduction": "sum"},
        {"focal_reduction": "mean"},
        {"query_alignment": 1.0},
        {"query_alignment_steps": 5},
    ],
)
def test_unknown_or_half_set_options_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        VSMLossConfig(**wrong)
