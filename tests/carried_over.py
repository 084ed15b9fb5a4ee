"""Checkpoints that pass through engines of every ZeRO stage and come out byte for byte the same.

Run as a program under torchrun it does so with several processes:

    torchrun --nproc-per-node 2 tests/carried_over.py FROM TO [full=1]
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from tiny_training import TinyLoss, TinyModel, TinySamples, tiny_collate, tiny_config, tiny_train
from whole_checkpoints import write_checkpoint

from seal.training.checkpoint import load_checkpoint, read_description, read_weights
from seal.training.checkpointer import Checkpointer
from seal.training.distributed import World, distributed
from seal.training.engine import Engine, build_engine
from seal.training.step import optimizer_step

# ZeRO stage, bfloat16, AdamW on the CPU.
PLAIN = (0, False, False)
SOME = [PLAIN, (1, True, False), (2, False, False), (2, True, True), (3, True, False)]
ALL = [
    PLAIN, (1, False, False), (1, True, False), (2, False, False), (2, True, False),
    (2, True, True), (3, False, False), (3, True, False), (3, True, True),
]  # fmt: skip
STEP = 4


def train(size: int, bf16: bool, **changes: object):
    """A micro-batch for every process twice a step."""
    return tiny_train(bf16=bf16, global_batch_size=4 * size, num_steps=9, **changes)


def make_engine(world: World, kind: tuple[int, bool, bool], **changes: object) -> Engine:
    stage, bf16, offload = kind
    zero: dict[str, object] = {"stage": stage}
    if offload:
        zero["offload_optimizer"] = {"device": "cpu"}
    torch.manual_seed(0)
    return build_engine(
        TinyModel(), TinyLoss(), train(world.size, bf16, **changes), {"zero_optimization": zero},
        num_steps=9, world=world,
    )  # fmt: skip


def take_steps(engine: Engine, first: int, last: int, *, skip: bool = False) -> list[float]:
    """The losses of some steps on drawn samples; with `skip` no weight changes."""
    found = []
    size, rank = engine.world.size, engine.world.rank
    for step in range(first, last):
        batches = []
        for turn in range(engine.accumulation):
            index = 2 * ((step * engine.accumulation + turn) * size + rank)
            samples = TinySamples()
            batches.append(tiny_collate([samples[index % 64], samples[index % 64 + 1]]))
        losses, norm = optimizer_step(engine, batches, step, seed=5, skip=skip)
        found += [*losses.values(), norm]
    return found


def write_drawn(folder: Path) -> Path:
    """A checkpoint of drawn numbers, written whole tensor by whole tensor."""
    generator = torch.Generator().manual_seed(3)
    shapes = {n: tuple(p.shape) for n, p in TinyModel().named_parameters() if "frozen" not in n}
    values = {}
    for kind in ("weights", "exp_avg", "exp_avg_sq"):
        for name, shape in shapes.items():
            drawn = torch.randn(shape, generator=generator)
            values[name, kind] = drawn.square() if kind == "exp_avg_sq" else drawn
    meta = {
        "format": 1, "step": STEP, "config": tiny_config(train(1, True)), "shapes": shapes,
    }  # fmt: skip
    return write_checkpoint(folder, meta, lambda name, kind: values[name, kind])


def load(checkpoint: Path, engine: Engine) -> None:
    take_steps(engine, STEP, STEP + 1, skip=True)
    assert load_checkpoint(checkpoint, engine) == STEP
    require_weights(engine, checkpoint)


def require_weights(engine: Engine, checkpoint: Path) -> None:
    """What the model computes with is what the checkpoint says, in the model's precision."""
    import deepspeed

    parameters = engine.trainable
    if engine.stage == 3:
        with deepspeed.zero.GatheredParameters(list(parameters.values())):
            found = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    else:
        found = {name: parameter.detach() for name, parameter in parameters.items()}
    for name, value in read_weights(checkpoint).items():
        assert torch.equal(found[name], value.to(found[name].dtype)), name


def carry(checkpoint: Path, out: Path, world: World, kinds: list[tuple[int, bool, bool]]) -> None:
    """Load under each kind of engine and save from it, in a folder `out/KIND` each."""
    for number, kind in enumerate(kinds):
        engine = make_engine(world, kind)
        load(checkpoint, engine)
        saving = Checkpointer(out / str(number), engine, keep=1, background=number % 2 == 0)
        saving.save(STEP, read_description(checkpoint))
        assert saving.finish() == out / str(number) / checkpoint.name


def fail_in_the_last(world: World, out: Path) -> None:
    """The last process meets a full disk while it writes: what each process is told."""
    engine = make_engine(world, (2, True, False))
    take_steps(engine, 0, 1)
    saving = Checkpointer(out / "full", engine, keep=2)
    saving.save(1, {})
    assert saving.finish() is not None
    write: Callable[..., int] = os.pwrite

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    if world.rank == world.size - 1:
        os.pwrite = full  # type: ignore[assignment]
    saving.save(2, {})
    told = "nothing"
    try:
        for step in range(1, 100_000):
            take_steps(engine, step, step + 1)
            saving.poll()
    except OSError as error:
        told = f"step {step}: {error}"
    os.pwrite = write  # type: ignore[assignment]
    saving.save(3, {})  # there is room again
    saving.finish()
    saving.close()
    (out / f"told-{world.rank}.txt").write_text(told)


def main(checkpoint: Path, out: Path, kinds: list[tuple[int, bool, bool]]) -> None:
    torch.set_num_threads(1)
    with distributed(seed=0) as world:
        carry(checkpoint, out, world, kinds)
        fail_in_the_last(world, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), ALL if "full=1" in sys.argv else SOME)
