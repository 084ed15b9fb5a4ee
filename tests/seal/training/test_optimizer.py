from __future__ import annotations

import sys

import pytest
import torch
from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state
from tiny_training import TinyLoss, TinyModel, TinySamples, tiny_collate, tiny_engine, tiny_train
from torch import nn

from seal.training.engine import build_engine
from seal.training.optimizer import GROUP_SHARE, build_optimizer, parameter_groups


def deep_model(layers: int = 40) -> nn.Module:
    return nn.Sequential(*(nn.Linear(8, 8) for _ in range(layers)), nn.Linear(8, 200))


def test_no_group_is_larger_than_its_share_unless_it_is_one_parameter():
    model = deep_model()
    total = sum(p.numel() for p in model.parameters())
    groups = parameter_groups(model, tiny_train())
    sizes = [sum(p.numel() for p in group["params"]) for group in groups]
    assert sum(sizes) == total
    large = [i for i, size in enumerate(sizes) if size > total / GROUP_SHARE + 1]
    assert [len(groups[i]["params"]) for i in large] == [1]  # the last matrix
    assert len(groups) < 2 * GROUP_SHARE
    flat = [p for group in groups for p in group["params"]]
    assert all(a is b for a, b in zip(flat, model.parameters(), strict=True))


def test_only_matrices_decay():
    groups = parameter_groups(deep_model(), tiny_train(weight_decay=0.1))
    assert {g["weight_decay"] for g in groups} == {0.0, 0.1}
    for group in groups:
        assert {p.ndim for p in group["params"]} == ({2} if group["weight_decay"] else {1})
    assert {g["weight_decay"] for g in parameter_groups(deep_model(), tiny_train())} == {0.0}


RATES = {"embed": 0.5, "head": 0.25, "head.bias": 0.125}


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_the_longest_prefix_of_a_name_sets_its_rate_and_the_others_have_the_common_one(decay):
    model = TinyModel()
    groups = parameter_groups(model, tiny_train(rates=RATES, learning_rate=1.0, weight_decay=decay))
    found = {id(p): group["peak"] for group in groups for p in group["params"]}
    named = {name: found[id(p)] for name, p in model.named_parameters() if p.requires_grad}
    assert named == {
        "embed.weight": 0.5, "mix.weight": 1.0, "mix.bias": 1.0,
        "head.weight": 0.25, "head.bias": 0.125,
    }  # fmt: skip


@pytest.mark.parametrize("prefix", ["tower", "frozen", "hea", "head.weights"])
def test_a_rate_of_nothing_that_is_trained_is_refused_with_what_is(prefix):
    with pytest.raises(ValueError, match=rf"train.rates.{prefix}=0.5 .*embed, mix, head; .*=null"):
        parameter_groups(TinyModel(), tiny_train(rates={prefix: 0.5}))


def test_a_rate_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match=r"train.rates.head must be positive, got 0"):
        tiny_train(rates={"head": 0.0})


@pytest.mark.parametrize("stage", [0, 3])
def test_a_parameter_moves_as_if_its_rate_were_everybodys_under_every_stage(world, stage):
    def one_step(**changes: object) -> dict[str, torch.Tensor]:
        train = tiny_train(gradient_clipping=0.0, global_batch_size=2, **changes)
        engine = tiny_engine(world, train, stage=stage)
        engine.model.dropout.p = 0.0
        batch = tiny_collate([TinySamples()[0], TinySamples()[1]]).to(world.device)
        engine.backward(torch.stack(list(engine.losses(batch).values())).sum())
        engine.step(1)
        told = engine.learning_rates(1).get("head", engine.learning_rate(1))
        assert told == pytest.approx(train.rates.get("head", train.learning_rate) * 2 / 3)
        whole = safe_get_full_fp32_param if stage else torch.Tensor.detach
        return {name: whole(p).clone() for name, p in engine.trainable.items()}

    fast, slow = one_step(learning_rate=0.02), one_step(learning_rate=0.01)
    mixed = one_step(learning_rate=0.02, rates={"head": 0.01})
    assert any(not torch.equal(fast[name], slow[name]) for name in fast if "head" in name)
    for name, value in mixed.items():
        assert torch.equal(value, (slow if name.startswith("head") else fast)[name]), name


def test_a_model_with_nothing_to_train_is_refused():
    with pytest.raises(ValueError, match="nothing to train"):
        parameter_groups(TinyModel().requires_grad_(False), tiny_train())


ACCUMULATION = 32


def micro_batches() -> list:
    samples = TinySamples()
    return [tiny_collate([samples[2 * i], samples[2 * i + 1]]) for i in range(ACCUMULATION)]


def exact_gradients() -> dict[str, torch.Tensor]:
    """The bfloat16 gradients of the micro-batches, added up in float32."""
    torch.manual_seed(0)
    model = TinyModel().bfloat16()
    model.dropout.p = 0.0
    sums = {n: torch.zeros(p.shape) for n, p in model.named_parameters() if p.requires_grad}
    for batch in micro_batches():
        model.zero_grad()
        sum(TinyLoss()(batch, model(batch)).values()).backward()
        for name, total in sums.items():
            total += model.get_parameter(name).grad.float()
    return sums


def accumulated_gradients(world, document: dict) -> dict[str, torch.Tensor]:
    """What AdamW gets to see, up to one factor: its first moment after one step."""
    train = tiny_train(
        bf16=True, global_batch_size=2 * ACCUMULATION, warmup_steps=0, gradient_clipping=0.0
    )
    torch.manual_seed(0)
    model = TinyModel()
    model.dropout.p = 0.0
    engine = build_engine(model, TinyLoss(), train, document, num_steps=6, world=world)
    assert engine.accumulation == ACCUMULATION
    for batch in micro_batches():
        batch = batch.to(world.device)
        engine.backward(torch.stack(list(engine.losses(batch).values())).sum())
        engine.step(0)
    return {
        name: safe_get_full_optimizer_state(parameter, "exp_avg").view(-1)
        for name, parameter in engine.trainable.items()
    }


def distance(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> float:
    """Of the two directions, over all parameters."""
    a, b = (torch.cat([tree[name].flatten() for name in wanted]) for tree in (found, wanted))
    return float((a / a.norm() - b / b.norm()).norm())


@pytest.mark.parametrize(
    ("stage", "offload"), [(1, False), (2, False), (3, False), (2, True), (3, True)]
)
def test_many_gradients_add_up_in_float32_unless_the_document_says_otherwise(world, stage, offload):
    zero = {"stage": stage} | ({"offload_optimizer": {"device": "cpu"}} if offload else {})
    found = accumulated_gradients(world, {"zero_optimization": zero})
    wanted = exact_gradients()  # second: ZeRO-3 replaces torch's linear layer by its own
    assert distance(found, wanted) < 1e-5
    rounded = {"zero_optimization": zero, "data_types": {"grad_accum_dtype": "bf16"}}
    assert distance(accumulated_gradients(world, rounded), wanted) > 1e-3


def test_zero_1_with_offload_which_cannot_do_it_is_refused_unless_asked_to_round(world):
    zero = {"stage": 1, "offload_optimizer": {"device": "cpu"}}
    with pytest.raises(ValueError, match="use deepspeed=zero2_offload"):
        accumulated_gradients(world, {"zero_optimization": zero})


def test_a_single_gradient_stays_in_bfloat16_and_costs_half(world):
    engine = tiny_engine(world, tiny_train(bf16=True, micro_batch_size=8), stage=2)
    assert engine.deepspeed.get_data_types() == (torch.bfloat16, torch.bfloat16)


def test_zero_1_lets_go_of_a_bfloat16_gradient_that_is_in_the_sum(world):
    engine = tiny_engine(world, tiny_train(bf16=True), stage=1)
    batch = tiny_collate([TinySamples()[0], TinySamples()[1]]).to(world.device)
    engine.backward(torch.stack(list(engine.losses(batch).values())).sum())
    assert all(p.grad is None for p in engine.trainable.values())


def test_8_bit_adamw_without_bitsandbytes_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(ValueError, match=r"adamw_8bit needs bitsandbytes.*train.optimizer=adamw"):
        build_optimizer(TinyModel(), tiny_train(optimizer="adamw_8bit"), fused=False)


@pytest.mark.parametrize(
    ("zero", "says"),
    [
        ({"stage": 0}, "stage=0"),
        ({"stage": 2, "offload_optimizer": {"device": "cpu"}}, "offload_optimizer"),
    ],
)
def test_8_bit_adamw_is_refused_where_it_does_not_work(world, zero, says):
    train = tiny_train(optimizer="adamw_8bit")
    with pytest.raises(ValueError, match=rf"adamw_8bit does not go with .*{says}"):
        build_engine(
            TinyModel(), TinyLoss(), train, {"zero_optimization": zero}, num_steps=6, world=world
        )
