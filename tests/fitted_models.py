"""The models of mixed_batches.py with four blocks, one batch for each, and their gradients."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import mixed_batches
import torch
from mixed_batches import MODELS, MixedSamples
from plain_batches import named_sums
from torch import Tensor, nn

from seal.batch import Batch
from seal.data.collate import collate


def deep_model(name: str) -> nn.Module:
    """In training mode, the same weights every time; blocks differ as to what happens to them."""
    torch.manual_seed(1)
    with patch.object(mixed_batches, "LLM", replace(mixed_batches.LLM, num_hidden_layers=4)):
        return MODELS[name][0]().train()


def mixed_batch(name: str, first: int = 4) -> Batch:
    """Two samples of two kinds, so that one row is padded."""
    samples = MixedSamples(name)
    return collate([samples[first], samples[first + 3]], pad_id=0)


def gradients(model: nn.Module, name: str, batch: Batch) -> dict[str, Tensor]:
    """Of the sum of the losses, by parameter."""
    model.zero_grad()
    losses = named_sums(MODELS[name][1](), batch, model(batch))
    torch.stack(list(losses.values())).sum().backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
