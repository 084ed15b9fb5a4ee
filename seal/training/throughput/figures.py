"""What the measured steps say: samples and tokens a second, padding, waiting, arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

import torch
from torch import nn

from seal.batch import Batch
from seal.models.fit.recompute import recomputed_blocks
from seal.models.vlm import VLM
from seal.training.config import TrainConfig
from seal.training.distributed import World


def rates(
    steps: Sequence[Mapping[str, float]], world: World, global_batch_size: int
) -> dict[str, Any]:
    """The figures of the measured steps; a collective call."""
    seconds = [step["seconds"] for step in steps]
    names = ("waited", "tokens", "positions", "flops", "flops_with_recomputation")
    mine = [float(sum(step[name] for step in steps)) for name in names]
    waited, tokens, positions, flops, with_again = world.mean(mine)
    total = sum(seconds)
    return {
        "seconds": {
            "median": median(seconds), "low": min(seconds), "high": max(seconds), "n": len(seconds),
        },
        # Of this process alone, all threads: on a machine with other work the better ratio.
        "cpu_seconds": median(step["cpu_seconds"] for step in steps),
        "samples_per_second": len(steps) * global_batch_size / total,
        "tokens_per_second": tokens * world.size / total,
        "tokens_per_sample": tokens * world.size / (len(steps) * global_batch_size),
        "padding": 1.0 - tokens / positions,
        "data_wait": waited / total,
        "tflops": flops / total / 1e12,  # of one process
        "tflops_with_recomputation": with_again / total / 1e12,
    }  # fmt: skip


def recomputed_flops(model: VLM, train: TrainConfig) -> Callable[[Batch], float]:
    """Of a batch: what checkpointing adds, one more forward pass of every n-th block."""
    layers = model.llm.model.layers
    share = len(recomputed_blocks(len(layers), train.recompute_every)) / len(layers)
    linear = [module for module in layers.modules() if isinstance(module, nn.Linear)]
    matrices = share * sum(float(layer.in_features * layer.out_features) for layer in linear)
    config = model.llm.config
    width = config.num_attention_heads * config.head_dim
    per_square = share * 2.0 * config.num_hidden_layers * width

    def flops(batch: Batch) -> float:
        lengths = batch.attention_mask.sum(1).double()
        if batch.documents:
            lengths = torch.tensor([document.length for document in batch.documents]).double()
        return 2.0 * matrices * float(lengths.sum()) + per_square * float((lengths**2).sum())

    return flops
