"""Recomputed and compiled blocks under ZeRO, on two processes, with LoRA in the search model."""

from __future__ import annotations

from pathlib import Path

import mixed_batches
import pytest
from mixed_batches import MODELS, mixed_engine, mixed_fit, mixed_train
from warm import run_together

from seal.training.log import read_metrics

STEPS = 8


def losses(folder: Path, name: str) -> list[dict[str, float]]:
    lines = read_metrics(folder / name / "metrics.jsonl")
    return [
        {k: v for k, v in line.items() if k.startswith(("loss", "grad_norm"))} for line in lines
    ]


@pytest.mark.parametrize(
    "options",
    [
        ("stage=3", "gradient_checkpointing=1", "recompute_every=2"),
        pytest.param(
            ("stage=2", "gradient_checkpointing=1", "recompute_every=2", "compile=1"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["zero3", "compiled"],
)
def test_blocks_recomputed_and_compiled_on_two_processes_train_as_plain_ones(
    world, tmp_path, options
):
    command = (mixed_batches.__file__, tmp_path / "two", f"num_steps={STEPS}", *options)
    run_together(2, *command, log=tmp_path / "log")
    for name in MODELS:
        train = mixed_train(num_steps=STEPS)
        mixed_fit(mixed_engine(world, name, train, stage=0), name, tmp_path / "one")
        one, two = losses(tmp_path / "one", name), losses(tmp_path / "two", name)
        assert len(one) == len(two) == STEPS
        for line, other in zip(one, two, strict=True):
            assert other == pytest.approx(line, rel=1e-4, abs=1e-5)
