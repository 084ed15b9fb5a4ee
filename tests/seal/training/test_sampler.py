from __future__ import annotations

import pytest
import torch
from tiny_training import TinySamples, tiny_collate

from seal.training.config import derive_accumulation
from seal.training.distributed import World
from seal.training.plan import Plan
from seal.training.sampler import StepSampler, training_batches


def sampler(rank: int, world_size: int, first: int = 0) -> StepSampler:
    plan = Plan(global_batch_size=12, micro_batch_size=3)
    return StepSampler(plan, first=first, num_steps=3, rank=rank, world_size=world_size)


def world(rank: int = 0, size: int = 1) -> World:
    return World(rank, size, rank, torch.device("cpu"))


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_any_number_of_processes_sees_the_same_micro_batches(world_size):
    alone = list(sampler(0, 1))
    ranks = [list(sampler(rank, world_size)) for rank in range(world_size)]
    together = [batch for turn in zip(*ranks, strict=True) for batch in turn]
    assert together == alone
    assert [index for batch in alone for index in batch] == list(range(36))


def test_starting_at_a_step_continues_where_the_first_run_would_be():
    assert list(sampler(1, 2, first=2)) == list(sampler(1, 2))[-2:]


@pytest.mark.parametrize(
    ("total", "micro", "size", "nearest"), [(50, 8, 4, 32), (10, 8, 4, 32), (100, 8, 4, 96)]
)
def test_a_global_batch_that_does_not_divide_is_refused_with_the_nearest(
    total, micro, size, nearest
):
    with pytest.raises(ValueError, match=f"micro_batch_size={micro} x world_size={size}") as error:
        derive_accumulation(total, micro, size)
    assert str(error.value).endswith(f"nearest: {nearest}")


def test_the_accumulation_follows_from_the_global_batch():
    assert derive_accumulation(128, 8, 4) == 4


def test_the_number_of_workers_changes_no_batch():
    def ids(workers: int) -> list[list[str]]:
        batches = training_batches(
            TinySamples(), tiny_collate, Plan(4, 2), first=1, num_steps=4, world=world(),
            workers=workers, prefetch=2,
        )  # fmt: skip
        return [batch.ids for batch in batches]

    assert ids(0) == ids(2)
    assert ids(0)[0] == ["sample-4", "sample-5"]
