"""What a micro-batch, a row and a process are does not change what is learnt."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import first_steps
import pytest
import torch
from mixed_batches import LEVELED, MODELS, MixedSamples, mixed_engine, mixed_train
from torch import Tensor
from warm import run_together

from seal.data.collate import collate
from seal.training.averaging import loss_factors
from seal.training.distributed import World
from seal.training.plan import Plan
from seal.training.step import optimizer_step

ALONE = World(0, 1, 0, torch.device("cpu"))
SAMPLES = 16


def one_step(
    world: Any, name: str, *, micro: int, pack: bool, balanced: bool = True, stage: int = 0
) -> tuple[dict[str, float], float]:
    """Losses and gradient norm of the first step on 16 samples, dropout on."""
    train = mixed_train(global_batch_size=SAMPLES, micro_batch_size=micro, gradient_clipping=0.0)
    engine = mixed_engine(world, name, train, stage=stage)
    samples = MixedSamples(name)
    plan = Plan(SAMPLES, micro, samples.length if balanced else None)
    batches = [
        collate([samples[i] for i in group], pad_id=0, pack=pack)
        for group in plan.micro_batches(0, 0, 1)
    ]
    return optimizer_step(engine, batches, 0, seed=0)


@pytest.mark.parametrize("name", list(MODELS))
def test_micro_batches_and_packing_change_no_loss_and_no_gradient(world, name):
    losses, norm = one_step(world, name, micro=16, pack=False, balanced=False)
    assert norm > 0.01
    for micro in (16, 4, 1):
        others, other = one_step(world, name, micro=micro, pack=False)
        assert other == pytest.approx(norm, rel=1e-5), micro
        assert others == pytest.approx(losses, rel=1e-5, abs=1e-7), micro


@pytest.mark.parametrize("micro", [16, 4, 1])
def test_packed_rows_give_the_losses_and_gradients_of_padded_ones(world, micro):
    """Of the VQA LLM; the search model shares trunks, whose dropout is one draw for all."""
    losses, norm = one_step(world, "vqa", micro=16, pack=False)
    others, other = one_step(world, "vqa", micro=micro, pack=True)
    assert other == pytest.approx(norm, rel=1e-5)
    assert others == pytest.approx(losses, rel=1e-5)


@pytest.mark.parametrize("stage", [2, 3])
def test_zero_gives_the_same(world, stage):
    for name in MODELS:
        losses, norm = one_step(world, name, micro=4, pack=True)
        others, other = one_step(world, name, micro=4, pack=True, stage=stage)
        assert other == pytest.approx(norm, rel=1e-5)
        assert others == pytest.approx(losses, rel=1e-5)


@pytest.mark.slow
def test_two_machines_take_the_same_step_however_it_is_cut_and_laid_out(world, tmp_path):
    """One process on each: micro-batches of 8, 4 and 1, packed and padded, ZeRO 0, 2 and 3, with
    recomputed blocks and with the optimizer on the host."""
    command = (first_steps.__file__, tmp_path / "two.json")
    run_together(2, *command, log=tmp_path / "log", machines=2)
    alone = first_steps.all_ways(world)
    two = json.loads((tmp_path / "two.json").read_text())
    for name in LEVELED:
        assert two[f"uneven {name}"] == pytest.approx(alone[f"uneven {name}"], rel=1e-5)
    for name in MODELS | LEVELED:
        (first, *_) = (alone[key] for key in alone if key.startswith(name))
        for found in (alone, two):
            for key in (key for key in found if key.startswith(name)):
                assert found[key] == pytest.approx(first, rel=1e-5, abs=1e-6), key


def test_as_released_means_of_micro_batches_are_averaged():
    weights = [{"ce": 4.0, "l1": 0.0}, {"ce": 1.0, "l1": 2.0}]
    factors = loss_factors(weights, "micro_batch", ALONE)
    sums = [torch.tensor([8.0, 0.0]), torch.tensor([3.0, 6.0])]
    total = sum(s * f for s, f in zip(sums, factors, strict=True))
    assert isinstance(total, Tensor)
    assert total.tolist() == [(8 / 4 + 3 / 1) / 2, (0 + 6 / 2) / 2]
    assert loss_factors(weights, "step", ALONE)[1].tolist() == pytest.approx([1 / 5, 1 / 2])


def test_the_old_average_depends_on_the_micro_batch(world):
    """Why it is not the default: the same samples weigh otherwise."""
    train = partial(mixed_train, global_batch_size=SAMPLES, averaging="micro_batch")
    norms = []
    for micro in (16, 1):
        engine = mixed_engine(world, "vqa", train(micro_batch_size=micro), stage=0)
        samples = MixedSamples("vqa")
        groups = Plan(SAMPLES, micro).micro_batches(0, 0, 1)
        batches = [collate([samples[i] for i in group], pad_id=0) for group in groups]
        norms.append(optimizer_step(engine, batches, 0, seed=0)[1])
    assert abs(norms[0] / norms[1] - 1) > 1e-3
