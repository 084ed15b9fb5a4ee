from __future__ import annotations

import multiprocessing
from collections import Counter

import pytest
import torch
from tiny_training import TinySamples, tiny_collate

from seal.training.distributed import World
from seal.training.held_out_batches import HeldOutBatches, held_out_indices


def batches(rank: int = 0, size: int = 1, **changes: int) -> HeldOutBatches:
    options = {"count": 22, "seed": 3, "micro_batch_size": 5, "workers": 0} | changes
    world = World(rank, size, rank, torch.device("cpu"))
    return HeldOutBatches(TinySamples(), tiny_collate, world=world, **options)


def counted(held_out: HeldOutBatches) -> list[tuple[str, ...]]:
    return [tuple(batch.ids) for batch, counts in held_out if counts]


def test_the_draw_is_over_all_samples_and_takes_none_twice():
    drawn = held_out_indices(64, count=22, seed=3, micro_batch_size=5)
    assert [len(batch) for batch in drawn] == [5, 5, 5, 5, 2]
    flat = [index for batch in drawn for index in batch]
    assert len(set(flat)) == 22 and flat == sorted(flat) and max(flat) >= 32
    assert drawn != held_out_indices(64, count=22, seed=4, micro_batch_size=5)
    everything = held_out_indices(8, count=100, seed=3, micro_batch_size=3)
    assert everything == [[0, 1, 2], [3, 4, 5], [6, 7]]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_any_number_of_processes_counts_the_same_batches_and_runs_equally_many(size):
    ranks = [batches(rank, size) for rank in range(size)]
    assert len({len(list(rank)) for rank in ranks}) == 1
    together = Counter(ids for rank in ranks for ids in counted(rank))
    assert together == Counter(counted(batches()))


def test_each_validation_reads_the_same_and_keeps_its_workers():
    held_out = batches(workers=2)
    first = counted(held_out)
    alive = {process.pid for process in multiprocessing.active_children()}
    assert counted(held_out) == first == counted(batches())
    assert alive and alive <= {process.pid for process in multiprocessing.active_children()}
