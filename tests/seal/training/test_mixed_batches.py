"""Both real models on batches of every kind, on one process and on two."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import mixed_batches
import pytest
import torch
from mixed_batches import MODELS, MixedSamples, mixed_engine, mixed_fit, mixed_train
from plain_batches import named_sums
from warm import run_together

from seal.data.collate import collate
from seal.training.log import read_metrics


def losses(folder: Path, name: str) -> list[dict[str, float]]:
    lines = read_metrics(folder / name / "metrics.jsonl")
    kept = ("step", "loss", "validation/loss")
    return [{k: v for k, v in line.items() if k.startswith(kept)} for line in lines]


def on_two_processes(folder: Path, *options: str) -> None:
    command = (mixed_batches.__file__, folder, *options)
    run_together(2, *command, log=folder.with_suffix(".log"))


def test_one_and_two_processes_have_the_same_losses_for_fifty_steps(world, tmp_path):
    on_two_processes(tmp_path / "two", "stage=2")
    for name in MODELS:
        mixed_fit(mixed_engine(world, name, mixed_train(), stage=2), name, tmp_path / "one")
        one, two = losses(tmp_path / "one", name), losses(tmp_path / "two", name)
        assert len(one) == len(two) == 50
        for line, other in zip(one, two, strict=True):
            assert other == pytest.approx(line, abs=1e-4)
        assert one[-1]["loss"] < one[0]["loss"]


def test_zero_3_on_two_processes_agrees_and_hands_over_to_one_process_without_it(world, tmp_path):
    """Weights of odd sizes are padded in their partitions; the checkpoint knows nothing of that.

    Held-out samples are read between the steps, before the first as well.
    """
    options = {"num_steps": 12, "validate_every": 4, "validation_samples": 8}
    given = [f"{key}={value}" for key, value in options.items()]
    on_two_processes(tmp_path / "two", "stage=3", "stop_after=8", *given)
    train = mixed_train(**options)
    for name in MODELS:
        mixed_fit(mixed_engine(world, name, train, stage=0), name, tmp_path / "one")
        mixed_fit(mixed_engine(world, name, train, stage=0), name, tmp_path / "two")
        one, two = losses(tmp_path / "one", name), losses(tmp_path / "two", name)
        assert len(two) == 12 + 4
        for line, other in zip(one, two, strict=True):
            assert other == pytest.approx(line, abs=1e-4)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", range(5))
def test_a_batch_of_any_kind_reaches_every_trained_weight(name, kind):
    """A parameter without a gradient on one process desynchronizes the reduction."""
    torch.manual_seed(0)
    build, criterion = MODELS[name]
    model = build()
    samples = MixedSamples(name)
    batch = partial(collate, pad_id=0)([samples[2 * kind], samples[2 * kind + 1]])
    parts = named_sums(criterion(), batch, model(batch))
    torch.stack(list(parts.values())).sum().backward()
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert [n for n, p in trained.items() if p.grad is None] == []
    assert all(torch.isfinite(p.grad).all() for p in trained.values())
    assert [
        n for n, p in model.named_parameters() if not p.requires_grad and p.grad is not None
    ] == []
