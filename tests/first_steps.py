"""Losses and gradient norm of a first step, cut and laid out in every way, as a program:

torchrun --nproc-per-node 2 tests/first_steps.py OUT.json
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from mixed_batches import LEVELED, MODELS, MixedSamples, mixed_engine, mixed_train

from seal.data.collate import collate
from seal.models.parts.row_dropout import RowDropout
from seal.training.distributed import World, distributed
from seal.training.plan import Plan
from seal.training.step import optimizer_step

SAMPLES = 16
# micro-batch, packed, ZeRO stage, blocks recomputed, optimizer on the host
WAYS = [
    (8, False, 0, False, False),
    (8, True, 0, False, False),
    (4, True, 0, False, False),
    (1, False, 0, False, False),
    (1, True, 2, True, False),
    (4, True, 2, False, True),
    (4, True, 3, True, False),
    (2, True, 3, False, True),
]

LEVEL_WAYS = [(8, False, 0, False, False), (4, True, 2, False, False), (1, True, 3, True, False)]


def first_step(
    world: World, name: str, micro: int, pack: bool, stage: int, recompute: bool, offload: bool
) -> dict[str, float]:
    """Of the same 16 samples, averaged over the processes.

    Dropout is off: the trunk that expressions share has one draw, separate rows have theirs. That
    of a router stays, which is drawn of a picture.
    """
    train = mixed_train(global_batch_size=SAMPLES, micro_batch_size=micro, gradient_clipping=0.0)
    engine = mixed_engine(world, name, train, stage=stage, offload=offload)
    model: Any = engine.model
    for module in model.modules():
        if isinstance(module, RowDropout):
            module.p = 0.0
    if recompute:
        model.llm.gradient_checkpointing_enable({"use_reentrant": False})
    samples = MixedSamples(name)
    plan = Plan(SAMPLES, micro, samples.length)
    join = partial(collate, pad_id=0, pack=pack)
    groups = plan.micro_batches(0, world.rank, world.size)
    batches = [join([samples[i] for i in group]) for group in groups]
    losses, norm = optimizer_step(engine, batches, 0, seed=0)
    values = world.mean(list(losses.values()))
    engine.deepspeed.destroy()
    return dict(zip(losses, values, strict=True)) | {"norm": norm}


# Of two pictures, of one, of text alone, and of two again: on two processes side by side.
UNEVEN = (8, 2, 0, 9)


def uneven_step(world: World, name: str) -> dict[str, float]:
    """Under ZeRO-3, where processes that call the parts of a model unequally often would hang."""
    train = mixed_train(global_batch_size=len(UNEVEN), micro_batch_size=1, gradient_clipping=0.0)
    engine = mixed_engine(world, name, train, stage=3)
    samples = MixedSamples(name)
    mine = UNEVEN[world.rank :: world.size]
    batches = [collate([samples[index]], pad_id=0, pack=True) for index in mine]
    losses, norm = optimizer_step(engine, batches, 0, seed=0)
    values = world.mean(list(losses.values()))
    engine.deepspeed.destroy()
    return dict(zip(losses, values, strict=True)) | {"norm": norm}


def all_ways(world: World) -> dict[str, dict[str, float]]:
    uneven = {f"uneven {name}": uneven_step(world, name) for name in LEVELED}
    ways = dict.fromkeys(MODELS, WAYS) | dict.fromkeys(LEVELED, LEVEL_WAYS)
    return uneven | {
        f"{name} {way}": first_step(world, name, *way) for name in ways for way in ways[name]
    }


def main(out: str) -> None:
    with distributed(seed=0) as world:
        found = all_ways(world)
        if world.is_main:
            Path(out).write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
