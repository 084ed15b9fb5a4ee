"""Which samples each process reads for each optimizer step: a function of the step alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from torch.utils.data import DataLoader, Sampler

from seal.batch import Batch, Sample
from seal.training.config import derive_accumulation
from seal.training.distributed import World
from seal.training.stop import leave_signals_to_parent


class SampleSource(Protocol):
    """Samples by index: the same index is always the same sample."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


class StepSampler(Sampler[list[int]]):
    """The micro-batches of one process, from optimizer step `first` (0-based) to the end.

    Step s reads the indices [s * G, (s + 1) * G). They are cut into micro-batches, which go
    round the processes: with W of them, micro-batch j is accumulation round j // W of process
    j % W. So one process that accumulates twice and two processes see the same micro-batches.
    """

    def __init__(
        self, *, first: int, num_steps: int, global_batch_size: int, micro_batch_size: int,
        rank: int, world_size: int,
    ) -> None:  # fmt: skip
        self.steps = range(first, num_steps)
        self.global_batch_size = global_batch_size
        self.micro_batch_size = micro_batch_size
        self.rank = rank
        self.world_size = world_size
        self.accumulation = derive_accumulation(global_batch_size, micro_batch_size, world_size)

    def __len__(self) -> int:
        return len(self.steps) * self.accumulation

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            for turn in range(self.accumulation):
                start = step * self.global_batch_size + self.micro_batch_size * (
                    turn * self.world_size + self.rank
                )
                yield list(range(start, start + self.micro_batch_size))


def training_batches(
    samples: SampleSource,
    collate: Callable[[Sequence[Sample]], Batch],
    *,
    first: int,
    num_steps: int,
    global_batch_size: int,
    micro_batch_size: int,
    world: World,
    workers: int,
    prefetch: int,
) -> Iterator[Batch]:
    """This process's micro-batches in order; the number of workers does not change them."""
    sampler = StepSampler(
        first=first,
        num_steps=num_steps,
        global_batch_size=global_batch_size,
        micro_batch_size=micro_batch_size,
        rank=world.rank,
        world_size=world.size,
    )
    return iter(_loader(samples, collate, sampler, workers, prefetch))


def _loader(
    samples: SampleSource, collate: Any, batches: Iterable[list[int]], workers: int, prefetch: int
) -> DataLoader[Batch]:
    return DataLoader(
        samples,  # type: ignore[arg-type]  # any object with __getitem__ is a map-style data set
        batch_sampler=batches,
        collate_fn=collate,
        num_workers=workers,
        prefetch_factor=prefetch if workers else None,
        persistent_workers=workers > 0,
        worker_init_fn=leave_signals_to_parent,
    )
