from __future__ import annotations

import math
import os

import mixed_batches
import pytest
import tiny_decoders
import torch
from deepspeed.runtime import bf16_optimizer
from mixed_batches import MixedSamples, mixed_engine, mixed_train, vqa_model
from tiny_training import (
    TinyLoss,
    TinyModel,
    TinySamples,
    tiny_collate,
    tiny_engine,
    tiny_train,
)
from whole_checkpoints import whole_tensor

from seal.data.collate import collate
from seal.models.vlm import LlmConfig
from seal.training import state
from seal.training.engine import Engine, build_engine, host_threads
from seal.training.step import optimizer_step


def micro_batches(step: int, engine: Engine) -> list:
    train = engine.train_config
    start = step * train.global_batch_size
    samples = TinySamples()
    return [
        tiny_collate([samples[start + turn * train.micro_batch_size + i] for i in range(2)])
        for turn in range(engine.accumulation)
    ]


def run(engine: Engine, first: int, last: int) -> list[tuple[float, float]]:
    out = []
    for step in range(first, last):
        losses, norm = optimizer_step(engine, micro_batches(step, engine), step, seed=5)
        out.append((sum(losses.values()), norm))
    return out


def test_every_stage_has_the_same_losses_and_reports_the_same_gradient_norm(world):
    plain = run(tiny_engine(world, tiny_train()), 0, 4)
    assert all(norm > 0.01 for _, norm in plain)
    for stage in (1, 2, 3):
        sharded = run(tiny_engine(world, tiny_train(), stage=stage), 0, 4)
        for (loss, norm), (other_loss, other_norm) in zip(plain, sharded, strict=True):
            assert other_loss == pytest.approx(loss, abs=2e-6)
            assert other_norm == pytest.approx(norm, rel=1e-5)


def test_a_tied_head_trains_alike_under_every_stage(world, monkeypatch):
    """One tensor read by two modules, which ZeRO-3 gathers for each."""
    monkeypatch.setattr(mixed_batches, "LLM", LlmConfig.of(tiny_decoders.folder("qwen3")))
    samples = MixedSamples("vqa")
    found = []
    for stage in (0, 2, 3):
        engine = mixed_engine(world, "vqa", mixed_train(micro_batch_size=4), stage=stage)
        assert not any("lm_head" in name for name in engine.trainable)
        steps = []
        for step in range(3):
            batch = collate([samples[4 * step + i] for i in range(4)], pad_id=0)
            losses, norm = optimizer_step(engine, [batch], step, seed=5)
            steps.append([sum(losses.values()), norm])
        found.append(steps)
    assert all(norm > 0.01 for _, norm in found[0])
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            assert two == pytest.approx(one, rel=1e-5)


def test_the_update_is_that_of_plain_adamw_on_the_mean_of_the_micro_batches(world):
    train = tiny_train(gradient_clipping=0.5)
    engine = tiny_engine(world, train)
    torch.manual_seed(0)
    model, criterion = TinyModel(), TinyLoss()
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], weight_decay=0.0
    )
    model.dropout.p = engine.model.dropout.p = 0.0
    for step in range(3):
        batches = micro_batches(step, engine)
        optimizer_step(engine, batches, step, seed=5)
        optimizer.zero_grad()
        labels = sum(len(b.label_ids) for b in batches)
        (sum(sum(criterion(b, model(b)).values()) for b in batches) / labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.param_groups[0]["lr"] = engine.learning_rate(step)
        optimizer.step()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(engine.model.get_parameter(name), parameter)


def test_a_step_that_is_skipped_changes_no_weight(world):
    for stage in (0, 2):
        engine = tiny_engine(world, tiny_train(), stage=stage)
        before = {n: whole_tensor(engine, n, "weights").clone() for n in state.shapes(engine)}
        optimizer_step(engine, micro_batches(0, engine), 0, seed=5, skip=True)
        for name, value in before.items():
            assert torch.equal(whole_tensor(engine, name, "weights"), value)


def test_a_gradient_that_is_not_finite_stops_before_the_update(world):
    engine = tiny_engine(world, tiny_train())
    before = {name: p.detach().clone() for name, p in engine.trainable.items()}
    engine.model.head.weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(FloatingPointError, match="step 1: the gradient norm is"):
        optimizer_step(engine, micro_batches(0, engine), 0, seed=5)
    assert all(torch.equal(p, before[name]) for name, p in engine.trainable.items())


def test_evaluation_turns_dropout_off_and_training_on_again(world):
    engine = tiny_engine(world, tiny_train())
    batch = micro_batches(0, engine)[0]
    first, _ = engine.evaluate(batch)
    second, output = engine.evaluate(batch)
    assert first["ce"] == second["ce"]
    assert output.logits.shape[1] == 13
    assert engine.model.training


@pytest.mark.parametrize(
    ("document", "bf16", "says"),
    [
        ({}, True, "zero1"),
        ({"train_batch_size": 99}, False, "deepspeed.train_batch_size=99"),
        ({"optimizer": {"type": "Adam"}}, False, "deepspeed.optimizer"),
        ({"bf16": {"enabled": True}, "zero_optimization": {"stage": 1}}, False, "bf16"),
    ],
)
def test_a_deepspeed_document_that_contradicts_the_run_is_refused(world, document, bf16, says):
    with pytest.raises(ValueError, match=says):
        build_engine(
            TinyModel(), TinyLoss(), tiny_train(bf16=bf16), document, num_steps=6, world=world
        )


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_the_rotary_frequencies_stay_in_float32_beside_bfloat16_weights(world, stage):
    """Rounded, as deepspeed < 0.19.2 rounds them, they turn position 700 by up to 0.86 rad."""
    engine = mixed_engine(world, "vqa", mixed_train(bf16=True), stage=stage)
    wanted = vqa_model().llm.model.rotary_emb.inv_freq
    found = engine.model.llm.model.rotary_emb.inv_freq
    assert found.dtype == torch.float32 and torch.equal(found, wanted)
    assert engine.model.llm.lm_head.weight.dtype == torch.bfloat16


def test_no_group_of_parameters_is_reported_on_while_an_engine_is_built(world, monkeypatch, capsys):
    """DeepSpeed would collect garbage twice a group: twenty seconds for the smallest model."""

    def report(*args: object, **kwargs: object) -> None:
        raise AssertionError("reported")

    monkeypatch.setattr(bf16_optimizer, "see_memory_usage", report)
    engine = mixed_engine(world, "vqa", mixed_train(bf16=True), stage=1)
    assert isinstance(engine.deepspeed.optimizer, bf16_optimizer.BF16_Optimizer)
    assert bf16_optimizer.see_memory_usage is report  # others get it back
    assert "MA " not in capsys.readouterr().out


def test_the_host_updates_with_its_share_of_the_cores_where_torchrun_allows_one_thread():
    torchrun = {"OMP_NUM_THREADS": "1", "TORCHELASTIC_RUN_ID": "none", "LOCAL_WORLD_SIZE": "1"}
    cores = len(os.sched_getaffinity(0))
    assert host_threads(torchrun) == cores
    assert host_threads(torchrun | {"LOCAL_WORLD_SIZE": str(4 * cores)}) == 1
    assert host_threads(torchrun | {"OMP_NUM_THREADS": "3"}) is None
    assert host_threads({"OMP_NUM_THREADS": "1"}) is None
