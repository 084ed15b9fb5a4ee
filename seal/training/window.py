"""What is logged of the steps since the last line: losses, speed, memory, how the work fell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch

from seal.batch import Batch
from seal.resident import peak_resident
from seal.training.engine import Engine
from seal.training.source_losses import SourceLosses
from seal.training.step_work import StepWork


class Window:
    """Sums over the steps since the last log line."""

    def __init__(
        self, engine: Engine, flops: Callable[[Batch], float] | None, sources: Sequence[str] = ()
    ) -> None:
        """`flops`: operations a batch needs; `sources`: whose losses are told one by one."""
        self.engine = engine
        self.count = flops
        self.sources = SourceLosses([name for name in sources if name])
        self._reset()

    def _reset(self) -> None:
        self.work = StepWork()
        self.steps = 0
        self.losses: dict[str, float] = {}
        self.norm = 0.0
        self.flops = 0.0
        self.seconds = 0.0
        self.waited = 0.0

    def add(
        self, losses: Mapping[str, float], norm: float, batches: Sequence[Batch],
        seconds: float, waited: float,
    ) -> None:  # fmt: skip
        self.steps += 1
        for name, value in losses.items():
            self.losses[name] = self.losses.get(name, 0.0) + value
        self.norm += norm
        self.work.add(batches)
        if self.count is not None:
            self.flops += sum(map(self.count, batches))
        self.seconds += seconds
        self.waited += waited

    def summary(self, step: int) -> dict[str, float]:
        """Means over the steps and the processes; a collective call."""
        world = self.engine.world
        names = list(self.losses)
        mine = [value / self.steps for value in self.losses.values()]
        *losses, tokens, waited, flops = world.mean(
            [*mine, self.work.tokens, self.waited, self.flops]
        )
        samples = self.steps * self.engine.train_config.global_batch_size
        summary = {
            "loss": math.fsum(losses),
            **{f"loss/{name}": value for name, value in zip(names, losses, strict=True)},
            "lr": self.engine.learning_rate(step),
            **{f"lr/{prefix}": r for prefix, r in self.engine.learning_rates(step).items()},
            "grad_norm": self.norm / self.steps,
            "seconds_per_step": self.seconds / self.steps,
            "tokens_per_second": tokens * world.size / self.seconds,
            "samples_per_second": samples / self.seconds,
            "data_wait": waited / self.seconds,
            **self.work.summary(world),
            **self.sources.summary(world),
            "peak_memory_gib": _peak_memory_gib(world.device),
        }
        if self.count is not None:
            summary["tflops"] = flops / self.seconds / 1e12  # of one process
            if (peak := self.engine.train_config.peak_tflops) is not None:
                summary["mfu"] = summary["tflops"] / peak
        self._reset()
        return summary


def _peak_memory_gib(device: torch.device) -> float:
    """Largest allocation on the GPU so far; on a CPU the largest resident size."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    return peak_resident() / 2**30
