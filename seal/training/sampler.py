"""Read the micro-batches of a plan, in worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from torch.utils.data import DataLoader, Sampler

from seal.batch import Batch, Sample
from seal.training.distributed import World
from seal.training.plan import Plan
from seal.training.stop import leave_signals_to_parent


class SampleSource(Protocol):
    """Samples by index: the same index is always the same sample."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...

    def length(self, index: int) -> int:
        """Positions it takes in a packed row."""
        ...


class StepSampler(Sampler[list[int]]):
    """The micro-batches of one process, from optimizer step `first` (0-based) to the end."""

    def __init__(
        self, plan: Plan, *, first: int, num_steps: int, rank: int, world_size: int
    ) -> None:
        self.plan = plan
        self.steps = range(first, num_steps)
        self.rank = rank
        self.world_size = world_size
        self.accumulation = plan.accumulation(world_size)

    def __len__(self) -> int:
        return len(self.steps) * self.accumulation

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            yield from self.plan.micro_batches(step, self.rank, self.world_size)


def training_batches(
    samples: SampleSource,
    collate: Callable[[Sequence[Sample]], Batch],
    plan: Plan,
    *,
    first: int,
    num_steps: int,
    world: World,
    workers: int,
    prefetch: int,
) -> Iterator[Batch]:
    """This process's micro-batches in order; the number of workers does not change them."""
    sampler = StepSampler(
        plan, first=first, num_steps=num_steps, rank=world.rank, world_size=world.size
    )
    loader: DataLoader[Batch] = DataLoader(
        samples,  # type: ignore[arg-type]  # any object with __getitem__ is a map-style data set
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=workers,
        prefetch_factor=prefetch if workers else None,
        persistent_workers=workers > 0,
        worker_init_fn=leave_signals_to_parent,
        pin_memory=world.device.type == "cuda",  # by `Batch.pin_memory`
    )
    return iter(loader)
