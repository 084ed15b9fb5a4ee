"""The losses of both stages, as sums whose weights make them means over levels and pictures."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from plain_batches import mean_losses, named_sums
from torch import Tensor

from seal.batch import (
    IGNORE_INDEX,
    KEPT_POLICY,
    VISUAL_TOKEN,
    Batch,
    Row,
    Sample,
    Visual,
    VQAOutput,
)
from seal.data.collate import collate
from seal.data.levels import feedback_rows, level_rows
from seal.losses.granularity import (
    GranularityLoss,
    RouterLoss,
    RouterLossConfig,
    level_losses,
    picture_losses,
)
from seal.losses.ranking import best_level_losses, ranking_losses

LEVELS = (1, 2, 4)
VOCABULARY = 9


def sample(name: str, pictures: int, answer: int, *, router: bool = False) -> Sample:
    """`pictures` in front of a question of two words and `answer` words."""
    generator = torch.Generator().manual_seed(len(name) + answer)
    ids = torch.randint(1, VOCABULARY, (3 + answer,), generator=generator)
    visual = torch.full((pictures * LEVELS[-1],), VISUAL_TOKEN)
    row = Row(
        torch.cat([ids[:1], visual, ids[1:]]),
        torch.cat([torch.full((len(visual) + 3,), IGNORE_INDEX), ids[3:]]),
        tuple(Visual(i, long=True, length=LEVELS[-1]) for i in range(pictures)),
    )
    images = tuple(torch.randn(3, 4, 4, generator=generator) for _ in range(pictures))
    if router:
        rows, routed = feedback_rows(row, LEVELS)
        return Sample(name, rows, images, routed=routed)
    return Sample(name, level_rows(row, LEVELS, np.random.default_rng(0)), images)


def drawn(batch: Batch, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(batch.label_ids), VOCABULARY, generator=generator).requires_grad_()


@pytest.mark.parametrize("pack", [False, True])
def test_the_mean_over_levels_of_the_mean_over_the_labels_of_each(pack):
    samples = [sample("a", 1, 3), sample("b", 0, 2), sample("c", 2, 5)]
    batch = collate(samples, pad_id=0, pack=pack)
    logits = drawn(batch)
    parts = mean_losses(GranularityLoss(LEVELS), batch, VQAOutput(logits))
    assert list(parts) == ["ce_1", "ce_2", "ce_4"]
    each = F.cross_entropy(logits, batch.label_ids, reduction="none")
    a, b, c = each[:9].split(3), each[9:11], each[11:].split(5)  # b shows nothing: one row
    means = [torch.cat([a[i], b, c[i]]).mean() for i in range(3)]
    torch.testing.assert_close(sum(parts.values()), sum(means) / 3)
    told = level_losses({name: value.item() for name, value in parts.items()})
    assert told == pytest.approx(
        {f"loss/at_{n}": m.item() for n, m in zip(LEVELS, means, strict=True)}
    )


def test_rows_of_a_kept_policy_weigh_as_one_more_level():
    samples = [sample("a", 1, 3), sample("b", 0, 2)]
    (first, *_) = samples[0].rows
    kept = (*samples[0].rows, replace(first, level=KEPT_POLICY))
    batch = collate([replace(samples[0], rows=kept), samples[1]], pad_id=0)
    logits = drawn(batch)
    parts = mean_losses(GranularityLoss(LEVELS, kept_policy=True), batch, VQAOutput(logits))
    assert list(parts) == ["ce_1", "ce_2", "ce_4", "ce_policy"]
    each = F.cross_entropy(logits, batch.label_ids, reduction="none")
    a, b = each[:12].split(3), each[12:]
    means = [torch.cat([own, b]).mean() for own in a]
    torch.testing.assert_close(sum(parts.values()), sum(means) / 4)
    told = level_losses({name: value.item() for name, value in parts.items()})
    assert told["loss/at_policy"] == pytest.approx(means[3].item())
    assert told["loss/at_2"] == pytest.approx(means[1].item())


def test_a_part_of_another_loss_is_no_level():
    assert level_losses({"ce": 1.0, "rank": 2.0}) == {}


def router_batch(*answers: int, pictures: int = 1) -> Batch:
    samples = [
        sample(f"s{number}", pictures, answer, router=True) for number, answer in enumerate(answers)
    ]
    return collate(samples, pad_id=0)


def test_feedback_is_the_mean_over_the_labels_of_the_row_that_shows_the_picture_at_a_level():
    batch = router_batch(2, 4, pictures=2)
    logits = drawn(batch)
    each = F.cross_entropy(logits, batch.label_ids, reduction="none")
    rows = torch.cat([each[:10].view(5, 2).mean(1), each[10:].view(5, 4).mean(1)])
    # Of a sample: both at the finest, the first at 1 and 2, the second at 1 and 2.
    wanted = rows[torch.tensor([[1, 2, 0], [3, 4, 0], [6, 7, 5], [8, 9, 5]])]
    assert batch.routes is not None
    found = picture_losses(batch, batch.routes, VQAOutput(logits))
    torch.testing.assert_close(found, wanted)
    assert not found.requires_grad


def test_the_parts_are_weighted_sums_over_pictures_and_train_the_scores_alone():
    batch = router_batch(2, 3, 4)
    logits = drawn(batch)
    scores = torch.randn(3, 3, generator=torch.Generator().manual_seed(3), requires_grad=True)
    config = RouterLossConfig(margin=2.0, rank_weight=0.5, ce_weight=0.25)
    parts = mean_losses(config.build(), batch, VQAOutput(logits, scores))
    assert batch.routes is not None
    feedback = picture_losses(batch, batch.routes, VQAOutput(logits))
    rank = ranking_losses(scores, feedback, margin=2.0).mean()
    torch.testing.assert_close(parts["rank"], 0.5 * rank)
    best = best_level_losses(scores, feedback).mean()
    torch.testing.assert_close(parts["best_level"], 0.25 * best)
    sum(parts.values()).backward()
    assert logits.grad is None and scores.grad is not None


def test_a_price_of_tokens_makes_the_cheaper_of_two_levels_as_good_the_better():
    batch = router_batch(2, 3)
    logits = torch.zeros(len(batch.label_ids), VOCABULARY)  # every level does equally well
    scores = torch.randn(2, 3, generator=torch.Generator().manual_seed(3))
    config = RouterLossConfig(token_price=0.5, rank_weight=1.0, ce_weight=1.0)
    parts = mean_losses(config.build(), batch, VQAOutput(logits, scores))
    even = math.log(VOCABULARY)
    feedback = even + 0.5 * torch.tensor([[0.25, 0.5, 1.0]] * 2)  # 1, 2 and 4 tokens
    torch.testing.assert_close(parts["rank"], ranking_losses(scores, feedback).mean())
    torch.testing.assert_close(
        parts["best_level"], F.cross_entropy(scores, torch.zeros(2, dtype=torch.int64))
    )


def test_a_batch_without_pictures_weighs_nothing_and_still_depends_on_the_router():
    batch = collate([sample("text", 0, 2, router=True)], pad_id=0)
    assert batch.routes is None
    assert set(RouterLoss().weights(batch).values()) == {0.0}
    scores = torch.ones(1, 3, requires_grad=True)
    total = sum(named_sums(RouterLoss(), batch, VQAOutput(drawn(batch), scores[:0])).values())
    assert float(total) == 0
    total.backward()
    assert scores.grad is not None


def test_a_loss_that_is_not_a_number_is_not_sorted_away():
    batch = router_batch(2)
    logits = drawn(batch).detach()
    logits[0] = torch.nan
    parts = named_sums(RouterLoss(), batch, VQAOutput(logits, torch.zeros(1, 3)))
    assert torch.isnan(parts["rank"])


def test_a_picture_without_labels_is_refused_with_the_sample():
    batch = router_batch(2, 0)
    with pytest.raises(ValueError, match=r"^sample s1: no token of it carries a label"):
        RouterLoss().weights(batch)


def test_a_model_without_a_router_is_told():
    batch = router_batch(2)
    with pytest.raises(ValueError, match="no router's scores"):
        RouterLoss()(batch, VQAOutput(drawn(batch)))


def test_weights_that_teach_nothing_are_refused():
    with pytest.raises(ValueError, match="rank_weight=0 and ce_weight=0 teach a router nothing"):
        RouterLossConfig(rank_weight=0.0, ce_weight=0.0)


@pytest.mark.parametrize("name", ["margin", "rank_weight", "ce_weight", "token_price"])
def test_a_negative_weight_is_refused(name):
    with pytest.raises(ValueError, match=rf"{name}=-1"):
        RouterLossConfig(**{name: -1.0})
