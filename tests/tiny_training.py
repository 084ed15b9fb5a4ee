"""A model of a few hundred weights, with data to match, that trains through the real loop.

Run as a program it trains in a folder, so that tests can kill it:

    python tests/tiny_training.py FOLDER [num_steps=40 stage=2 workers=2 bf16=0 nan_at=7 ...]

It notes signals; hang_at is the index of a sample that cannot be read to the end, other faults are
told under FAULTS.

It notes signals, and hangs or fails in one process where it is told to (hang_at=3 hang_rank=1).
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.elastic.multiprocessing.errors import record

from seal.batch import IGNORE_INDEX, Batch, Row, Sample, VQAOutput
from seal.data.collate import collate
from seal.training.config import TrainConfig
from seal.training.distributed import World, distributed
from seal.training.engine import Engine, build_engine
from seal.training.loop import fit
from seal.training.sampler import SampleSource
from seal.training.shared_folder import require_shared
from seal.training.stop import StopRequest

VOCABULARY = 13
LENGTH = 6


class TinyModel(nn.Module):
    """Predicts the next token from the last two; 7 and 5 wide so that ZeRO-3 has to pad."""

    def __init__(self, width: int = 7) -> None:
        super().__init__()
        self.embed = nn.Embedding(VOCABULARY, width)
        self.mix = nn.Linear(2 * width, 5)
        self.dropout = nn.Dropout(0.1)
        self.frozen = nn.Linear(5, 5)
        self.head = nn.Linear(5, VOCABULARY)
        self.frozen.requires_grad_(False)

    def forward(self, batch: Batch) -> VQAOutput:
        states = self.embed(batch.input_ids)  # (B, L, width)
        pairs = torch.cat([states, states.roll(1, dims=1)], dim=-1)
        hidden = self.frozen(self.dropout(torch.tanh(self.mix(pairs))))
        return VQAOutput(self.head(hidden.flatten(0, 1)[batch.label_positions]))


class TinyLoss:
    """Two named parts; at one step, if asked, the second is not a number."""

    def __init__(self, nan_at: int | None = None) -> None:
        self.nan_at = nan_at

    def weights(self, batch: Batch) -> dict[str, float]:
        return {"ce": len(batch.label_ids), "size": len(batch.label_ids)}

    def __call__(self, batch: Batch, output: VQAOutput) -> dict[str, Tensor]:
        logits = output.logits.float()
        size = 0.01 * logits.square().mean(1).sum()
        if batch.step == self.nan_at:
            size = size * torch.nan
        return {"ce": F.cross_entropy(logits, batch.label_ids, reduction="sum"), "size": size}


class TinySamples:
    """Sample `index` depends on the index alone."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def __len__(self) -> int:
        return 64

    def __getitem__(self, index: int) -> Sample:
        generator = torch.Generator().manual_seed(self.seed * 100_000 + index)
        first = torch.randint(VOCABULARY, (1,), generator=generator)
        ids = (first + 3 * torch.arange(LENGTH)) % VOCABULARY
        labels = ids.clone()
        labels[: 1 + index % 3] = IGNORE_INDEX
        return Sample(id=f"sample-{index}", rows=(Row(input_ids=ids, labels=labels),))

    def length(self, index: int) -> int:
        return LENGTH


def tiny_collate(samples: Sequence[Sample]) -> Batch:
    return collate(samples, pad_id=0)


def tiny_train(**changes: Any) -> TrainConfig:
    numbers: dict[str, Any] = dict(
        num_steps=6, global_batch_size=8, micro_batch_size=2, learning_rate=1e-2, bf16=False,
        warmup_steps=2, save_every=3, workers=0,
    )  # fmt: skip
    return TrainConfig(**numbers | changes)


def tiny_engine(
    world: World, train: TrainConfig, *, stage: int = 0, width: int = 7, nan_at: int | None = None
) -> Engine:
    torch.manual_seed(0)
    document = {"zero_optimization": {"stage": stage}}
    assert train.num_steps is not None
    return build_engine(
        TinyModel(width), TinyLoss(nan_at), train, document, num_steps=train.num_steps, world=world
    )


def tiny_config(train: TrainConfig) -> dict[str, Any]:
    return {"train": asdict(train), "seed": 5}


class StuckSamples(TinySamples):
    """As a file system that does not answer: one index is never read."""

    def __init__(self, hang_at: int) -> None:
        super().__init__()
        self.hang_at = hang_at

    def __getitem__(self, index: int) -> Sample:
        if index == self.hang_at:
            stuck_here()
        return super().__getitem__(index)


def tiny_fit(
    engine: Engine, folder: Path, samples: SampleSource | None = None, **more: Any
) -> Path:
    config = tiny_config(engine.train_config)
    samples = samples or TinySamples()
    return fit(engine, samples, tiny_collate, folder, seed=5, config=config, **more)


@record
def main(arguments: list[str]) -> None:
    folder = Path(arguments[0])
    words = dict(argument.split("=", 1) for argument in arguments[1:])
    faults = {name: int(words.pop(name)) for name in FAULTS if name in words}
    minutes = float(words.pop("timeout_minutes", 30))
    hang_at = int(words.pop("hang_at")) if "hang_at" in words else None
    hours = float(words.pop("max_hours")) if "max_hours" in words else None
    options = {key: int(value) for key, value in words.items()}
    stage, nan_at = options.pop("stage", 0), options.pop("nan_at", None)
    train = tiny_train(**{**options, "bf16": bool(options.get("bf16", 0))})
    with distributed(seed=0, timeout_minutes=minutes) as world:
        require_shared(folder / str(world.rank) if "unshared" in faults else folder, world, wait=1)
        with StopRequest(folder, world, max_hours=hours) as stop:
            engine = tiny_engine(world, train, stage=stage, nan_at=nan_at)
            _add_faults(engine, faults)
            samples = StuckSamples(hang_at) if hang_at is not None else TinySamples()
            tiny_fit(engine, folder, samples, stop=stop)


# At a step (0-based): kill the process, fail by a bug, or take long over each step from it on (for
# signals to find the run in the middle). In the process `rank`, else in all.
FAULTS = ("kill_at", "bug_at", "slow_at", "rank", "unshared")


def _add_faults(engine: Engine, faults: dict[str, int]) -> None:
    """Between the gradient and the update of a step, as a preempted process finds itself."""
    if faults.get("rank", engine.world.rank) != engine.world.rank:
        return
    update = engine.step

    def step(number: int) -> float:
        if number >= faults.get("kill_at", math.inf):
            os.kill(os.getpid(), signal.SIGKILL)
        if number >= faults.get("bug_at", math.inf):
            raise KeyError("a bug of the test")
        if number >= faults.get("slow_at", math.inf):
            time.sleep(0.3)
        return update(number)

    engine.step = step  # type: ignore[method-assign]


def stuck_here() -> None:
    time.sleep(3600)


if __name__ == "__main__":
    main(sys.argv[1:])
