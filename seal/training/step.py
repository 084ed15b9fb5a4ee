"""One optimizer step: from the micro-batches of every process to an update, or to an error."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from seal.batch import Batch
from seal.losses.vqa import LABEL_LOSSES
from seal.training.averaging import loss_factors
from seal.training.engine import Engine
from seal.training.source_losses import SourceLosses


def optimizer_step(
    engine: Engine,
    micro_batches: Sequence[Batch],
    step: int,
    *,
    seed: int,
    skip: bool = False,
    sources: SourceLosses | None = None,
) -> tuple[dict[str, float], float]:
    """One update from this process's micro-batches: losses, and the gradient norm.

    The mean over the processes of a loss is its average over the step. With `skip`, everything
    happens but the update. What the losses are is asked for once, at the end: until then the host
    runs ahead of the device.

    Args:
        sources: is told the loss of each label.
    """
    world = engine.world
    for batch in micro_batches:
        require_supervision(batch)
        batch.step = step
    weights = [engine.weights(batch) for batch in micro_batches]
    factors = loss_factors(weights, engine.train_config.averaging, world)
    parts = []
    norm = math.nan
    for turn, batch in enumerate(micro_batches):
        seed_micro_batch(seed, step, turn * world.size + world.rank)
        losses, labels = micro_batch_losses(engine, batch, factors[turn])
        parts.append(losses.detach())
        if sources is not None and labels is not None:
            sources.add(labels, batch.label_rows, batch.sources)
        engine.backward(losses.sum())
        if turn + 1 == len(micro_batches):
            values = require_finite(parts, list(weights[0]), micro_batches, step)
        if skip:
            engine.skip_step()
        else:
            norm = engine.step(step)
    return values, norm


def micro_batch_losses(
    engine: Engine, batch: Batch, factors: Tensor | float = 1.0
) -> tuple[Tensor, Tensor | None]:
    """(names,) the sums of losses of a batch on the host times `factors`, in the order of their
    weights; and (T,) the loss of each label, if the criterion tells it."""
    names = engine.weights(batch)
    told = engine.losses(batch.to(engine.world.device))
    return torch.stack([told[name] for name in names]) * factors, told.get(LABEL_LOSSES)


def seed_micro_batch(seed: int, step: int, micro_batch: int) -> None:
    """Make every draw on this process a function of the run's seed and the place in the run.

    So nothing random has to be stored to resume, and the number of processes changes no draw.
    """
    torch.manual_seed(((seed * 1_000_003 + step) * 1_000_003 + micro_batch) % 2**63)


def require_supervision(batch: Batch) -> None:
    """Refuse a batch from which nothing can be learnt: it would train on a silent zero."""
    if not len(batch.label_ids):
        raise ValueError(
            f"no token of the batch carries a label, so its loss would be a silent 0; "
            f"samples: {', '.join(dict.fromkeys(batch.ids))}; dry_run=true shows "
            f"a batch with its labels marked; correct these records, or raise the length limit "
            f"that cuts their answers away"
        )


def require_finite(
    parts: Sequence[Tensor], names: Sequence[str], micro_batches: Sequence[Batch], step: int
) -> dict[str, float]:
    """The losses of a step as numbers; stop before the update if one is not finite.

    parts: of each micro-batch, (names,) its share of each loss.
    """
    table = torch.stack(list(parts)).double().tolist()  # one transfer
    for values, batch in zip(table, micro_batches, strict=True):
        named = dict(zip(names, values, strict=True))
        if bad := [name for name, value in named.items() if not math.isfinite(value)]:
            told = ", ".join(f"{name}={value:g}" for name, value in named.items())
            raise FloatingPointError(
                f"step {step + 1}: the loss {', '.join(bad)} is not finite ({told}); samples: "
                f"{', '.join(dict.fromkeys(batch.ids))}; nothing was updated with it"
            )
    return dict(zip(names, map(sum, zip(*table, strict=True)), strict=True))
