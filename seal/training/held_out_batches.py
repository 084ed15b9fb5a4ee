"""The held-out batches of every validation: drawn once by seed, dealt to the processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from seal.batch import Batch, Sample
from seal.training.distributed import World
from seal.training.sampler import SampleSource
from seal.training.stop import leave_signals_to_parent


class HeldOutBatches:
    """The same batches each time it is gone through, and whether each counts.

    The batches depend on the samples, `count`, `seed` and `micro_batch_size` alone; batch j is one
    of process j % W. Every process runs the same number of them, or ZeRO-3 would wait for ever: a
    process that has none left runs the first one again, which does not count.

    Its workers stay alive from one validation to the next: starting them takes seconds, in which
    every GPU waits.
    """

    def __init__(
        self,
        samples: SampleSource,
        collate: Callable[[Sequence[Sample]], Batch],
        *,
        count: int,
        seed: int,
        micro_batch_size: int,
        world: World,
        workers: int,
    ) -> None:
        batches = held_out_indices(
            len(samples), count=count, seed=seed, micro_batch_size=micro_batch_size
        )
        mine = batches[world.rank :: world.size]
        rounds = -(-len(batches) // world.size)
        self.counted = [True] * len(mine) + [False] * (rounds - len(mine))
        workers = min(workers, rounds)
        data: Any = samples  # any object with __getitem__ is a map-style data set
        self._loader: DataLoader[Batch] = DataLoader(
            data,
            batch_sampler=mine + batches[:1] * (rounds - len(mine)),
            collate_fn=collate,
            num_workers=workers,
            prefetch_factor=2 if workers else None,
            persistent_workers=workers > 0,
            worker_init_fn=leave_signals_to_parent,
        )

    def __iter__(self) -> Iterator[tuple[Batch, bool]]:
        return zip(self._loader, self.counted, strict=True)


def held_out_indices(size: int, *, count: int, seed: int, micro_batch_size: int) -> list[list[int]]:
    """The indices of each batch: `count` of `size` samples drawn by seed, none twice.

    All of them if there are not more; the last batch may be smaller.
    """
    drawn = np.random.default_rng((5, seed)).permutation(size)[:count]
    order = [int(index) for index in np.sort(drawn)]  # read in order: neighbors on the disk
    return [order[i : i + micro_batch_size] for i in range(0, len(order), micro_batch_size)]
