"""What the sum of each loss is divided by: its weight over the whole step, or the micro-batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from seal.training.distributed import World


def loss_factors(
    weights: Sequence[Mapping[str, float]], averaging: str, world: World
) -> list[Tensor]:
    """For each micro-batch of this process, what each of its sums is multiplied by.

    A collective call, once a step. The gradients are averaged over the processes afterwards.

    Args:
        weights: of each micro-batch, the weight of each named loss (`Criterion.weights`).
        averaging: `step`: the loss is the sum over the step's labels divided by their number, so
            that neither micro-batches nor processes change it; `micro_batch`: the mean of the
            means of the micro-batches, as the original trained.

    Returns:
        (names,) float32 on the device, in the order of the names.
    """
    table = torch.tensor([list(named.values()) for named in weights], dtype=torch.float64)
    if averaging == "micro_batch":
        factors = 1 / (table.clamp(min=1) * len(weights))
        return list(factors.float().to(world.device, non_blocking=True))
    total = world.total(table.sum(0).to(world.device, non_blocking=True))
    factor = (world.size / total.clamp(min=1)).float()  # on the device: nobody waits for it
    return [factor] * len(weights)
