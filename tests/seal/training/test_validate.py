from __future__ import annotations

import dataclasses
from dataclasses import replace
from functools import partial

import mixed_batches
import pytest
import torch
from mixed_batches import MixedSamples, mixed_engine, mixed_train

from seal.batch import Mask, Sample, Target, VQAOutput, VSMOutput
from seal.data.collate import collate
from seal.training.assemble import TrainingData
from seal.training.held_out_batches import held_out_indices
from seal.training.router_numbers import router_metrics, router_sums
from seal.training.validate import held_out, search_metrics, search_sums, validation_of


def perfect(target: Target) -> VSMOutput:
    """The best-scored candidate is the first box, the mask is the mask."""
    boxes = torch.cat([torch.zeros(1, 4), target.boxes[:1]])[None]
    masks = (target.mask.unpack()[None].float() - 0.5) * 20
    return VSMOutput(torch.zeros(0, 5), torch.tensor([[-1.0, 1.0]]), boxes, masks)


def batch_of(target: Target):
    batch = collate([mixed_batches.vsm_sample(2, torch.Generator().manual_seed(0))], pad_id=0)
    batch.targets = [target]
    return batch


def test_a_routers_choices_are_told_by_what_they_cost_and_what_they_are_worth():
    """Two pictures of two levels: one is read coarsely and well, one finely for nothing."""
    samples = [
        mixed_batches.level_sample(index, torch.Generator().manual_seed(index), router=True)
        for index in (2, 4)
    ]
    batch = collate(samples, pad_id=0)
    routes = batch.routes
    assert routes is not None and routes.rows.shape == (2, 3)
    # Of each row the loss: the first picture's levels, then the second's.
    losses = torch.zeros(len(batch.ids))
    losses[routes.rows[0]] = torch.tensor([0.5, 2.0, 1.0])
    losses[routes.rows[1]] = torch.tensor([3.0, 1.5, 2.5])
    logits = torch.zeros(len(batch.label_ids), mixed_batches.VOCABULARY, dtype=torch.float64)
    logits[:] = -30.0
    # The label with the chance exp(-loss), one other token with the rest.
    chance = torch.exp(-losses.double())[batch.label_rows]
    at = torch.arange(len(logits))
    logits[at, batch.label_ids] = chance.log()
    logits[at, (batch.label_ids + 1) % mixed_batches.VOCABULARY] = (1 - chance).log()
    scores = torch.tensor([[0.9, 0.1, 0.0], [0.0, 0.1, 0.7]])
    metrics = router_metrics(router_sums(batch, VQAOutput(logits, scores)))
    tokens = routes.tokens
    read = float(tokens[0, 0] + tokens[1, 2])
    assert metrics == pytest.approx({
        "loss/chosen": (0.5 + 2.5) / 2, "loss/finest": (1.0 + 2.5) / 2, "loss/best": 1.0,
        "router_agreement": 0.5, "visual_tokens": read / 2,
        "visual_tokens_share": read / float(tokens[:, 2].sum()),
    }, abs=1e-4)  # fmt: skip
    finest = [visual.length for sample in samples for visual in sample.rows[0].visuals]
    assert tokens[:, 2].tolist() == finest and tokens[0, 0] < tokens[0, 1] < tokens[0, 2]


def test_where_nothing_is_routed_nothing_is_told():
    sample = mixed_batches.level_sample(0, torch.Generator().manual_seed(0), router=True)
    assert router_metrics(router_sums(collate([sample], pad_id=0), VQAOutput(torch.ones(1)))) == {}


def test_a_perfect_prediction_scores_one_and_a_wrong_one_nothing():
    mask = torch.zeros(8, 8)
    mask[2:5, 1:7] = 1
    target = Target(torch.tensor([[0.5, 0.5, 0.2, 0.2]]), Mask.pack(mask))
    output = perfect(target)
    assert search_metrics(search_sums(batch_of(target), output)) == {
        "cIoU": 1.0, "gIoU": 1.0, "box_accuracy": 1.0
    }  # fmt: skip
    output.pred_masks, output.pred_logits = -output.pred_masks, -output.pred_logits
    assert search_metrics(search_sums(batch_of(target), output)) == {
        "cIoU": 0.0, "gIoU": 0.0, "box_accuracy": 0.0
    }  # fmt: skip


def test_a_candidate_over_the_padding_is_not_the_answer():
    target = Target(torch.tensor([[0.5, 0.25, 0.2, 0.2]]), None, extent=(1.0, 0.5))
    boxes = torch.tensor([[[0.5, 0.7, 0.2, 0.2], [0.5, 0.25, 0.2, 0.2], [0.1, 0.1, 0.1, 0.1]]])
    output = VSMOutput(
        torch.zeros(0, 5), torch.tensor([[3.0, 2.0, 1.0]]), boxes, torch.zeros(1, 8, 8)
    )
    assert search_metrics(search_sums(batch_of(target), output)) == {"box_accuracy": 1.0}
    target = dataclasses.replace(target, extent=(1.0, 1.0))
    assert search_metrics(search_sums(batch_of(target), output)) == {"box_accuracy": 0.0}


def test_ciou_adds_pixels_and_giou_averages_masks():
    small, large = torch.zeros(4, 4), torch.ones(4, 4)
    small[0, 0] = 1
    sums = dict.fromkeys(("intersection", "union", "iou", "masks", "hits", "boxes"), 0.0)
    for mask, shown in ((small, torch.ones(4, 4)), (large, torch.ones(4, 4))):
        target = Target(None, Mask.pack(mask))
        output = perfect(Target(torch.zeros(1, 4), Mask.pack(shown)))
        for name, value in search_sums(batch_of(target), output).items():
            sums[name] += value
    metrics = search_metrics(sums)
    assert metrics["cIoU"] == pytest.approx(17 / 32)
    assert metrics["gIoU"] == pytest.approx((1 / 16 + 1) / 2)
    assert "box_accuracy" not in metrics


@pytest.mark.parametrize("stage", [0, 3])
def test_held_out_losses_are_averages_over_all_that_is_held_out(world, stage):
    engine = mixed_engine(world, "vsm", mixed_train(), stage=stage)
    samples = MixedSamples("vsm")
    values = held_out(samples, partial(collate, pad_id=0), count=10)(engine)
    drawn = held_out_indices(len(samples), count=10, seed=0, micro_batch_size=2)
    batches = [collate([samples[i] for i in indices], pad_id=0) for indices in drawn]
    parts = [engine.evaluate(batch)[0] for batch in batches]
    weights = [engine.weights(batch) for batch in batches]
    for name in ("ce", "dice", "l1"):
        total = sum(float(part[name]) for part in parts)
        count = sum(weight[name] for weight in weights)
        assert values[f"loss/{name}"] == pytest.approx(total / count, rel=1e-6)
    assert values["loss"] == pytest.approx(
        sum(value for name, value in values.items() if name.startswith("loss/"))
    )
    assert {"cIoU", "gIoU", "box_accuracy"} <= set(values)


def test_a_best_checkpoint_without_anything_held_out_is_refused(world):
    train = mixed_train(best="validation/loss", validate_every=1, validation_samples=4)
    data = TrainingData(MixedSamples("vsm"), None, partial(collate, pad_id=0))
    with pytest.raises(
        ValueError, match=r"set data\.validation\.sources, or data\.train\.held_out"
    ):
        validation_of(data, train)


class TwoSources:
    """Mixed samples as a mixture of two sources hands them out."""

    names = ("even", "odd", "never")

    def __init__(self) -> None:
        self.samples = MixedSamples("vqa")

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return replace(self.samples[index], source=self.names[index % 2])


def test_a_validation_of_a_mixture_tells_the_loss_of_each_source(world):
    engine = mixed_engine(world, "vqa", mixed_train(), stage=0)
    samples, join = TwoSources(), partial(collate, pad_id=0)
    values = held_out(samples, join, count=9)(engine)
    assert {name for name in values if name.startswith("loss/ce/")} == {
        "loss/ce/even", "loss/ce/odd"
    }  # fmt: skip
    drawn = held_out_indices(len(samples), count=9, seed=0, micro_batch_size=2)
    for parity, name in enumerate(("even", "odd")):
        own = [join([samples[i]]) for batch in drawn for i in batch if i % 2 == parity]
        total = sum(float(engine.evaluate(batch)[0]["ce"]) for batch in own)
        labels = sum(len(batch.label_ids) for batch in own)
        assert values[f"loss/ce/{name}"] == pytest.approx(total / labels, rel=1e-5)
    assert values["loss"] == pytest.approx(values["loss/ce"])
