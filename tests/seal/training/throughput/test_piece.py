"""The parts of a piece that only a GPU runs as a whole, and how a piece is told what to measure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
from mixed_batches import MODELS, MixedSamples, mixed_engine, mixed_train

from seal.data.collate import collate
from seal.models.fit.lora import LoraConfig
from seal.training.config import TrainConfig
from seal.training.throughput import piece
from seal.training.throughput.config import ThroughputConfig


@pytest.mark.parametrize("name", list(MODELS))
def test_what_is_looked_at_for_waits_is_a_forward_and_a_backward_pass(world, monkeypatch, name):
    """Without a GPU nothing is told, but the call that a GPU would watch is the same."""

    def called_twice(forward_and_backward: Callable[[], Any]) -> dict[str, Any]:
        for _ in range(2):
            forward_and_backward()
        return {}

    monkeypatch.setattr(piece, "find_syncs", called_twice)
    engine = mixed_engine(world, name, mixed_train(), stage=0)
    samples = MixedSamples(name)
    batches = [collate([samples[2 * n], samples[2 * n + 1]], pad_id=0, pack=True) for n in (1, 4)]
    piece._syncs(engine, iter(batches), 0)
    assert all(parameter.grad is not None for parameter in engine.trainable.values())


@pytest.mark.parametrize("lora", [None, LoraConfig(rank=4, targets=["q_proj"])])
def test_a_configuration_comes_whole_through_the_pipe(lora):
    config = ThroughputConfig(
        program="vqa", lora=lora, train=TrainConfig(num_steps=3, learning_rate=3e-5),
        deepspeed={"zero_optimization": {"stage": 2}}, recipes=["ours"], layers=2,
    )  # fmt: skip
    assert ThroughputConfig.of(json.loads(json.dumps(asdict(config)))) == config
