from __future__ import annotations

import pytest
import torch
from tiny_training import TinySamples, tiny_collate

from seal.batch import Batch
from seal.training.distributed import World
from seal.training.step_work import StepWork


def batch_of(*lengths: int, padded_to: int) -> Batch:
    batch = tiny_collate([TinySamples()[0]])
    places = torch.arange(padded_to)
    batch.attention_mask = torch.stack([places < length for length in lengths])
    return batch


class Ranks:
    """Processes that meet in `sum`: it is asked of each in turn, and answers the last for all."""

    def __init__(self, steps: list[list[list[Batch]]]) -> None:
        """`steps`: by rank, by step, its micro-batches."""
        self.tables: list[list[float]] = []
        self.size = len(steps)
        self.works = []
        for batches in steps:
            work = StepWork()
            for micro_batches in batches:
                work.add(micro_batches)
            self.works.append(work)

    def summary(self) -> dict[str, float]:
        def collect(values: list[float]) -> list[float]:
            self.tables.append(values)
            return [sum(each) for each in zip(*self.tables, strict=True)]

        for rank, work in enumerate(self.works):
            world = World(rank, self.size, rank, torch.device("cpu"))
            found = work.summary(_Meeting(world, collect))
        return found


class _Meeting:
    def __init__(self, world: World, collect) -> None:
        self.rank, self.size, self.sum = world.rank, world.size, collect


def test_padding_is_the_share_of_positions_without_a_token():
    ranks = Ranks([[[batch_of(4, 2, padded_to=4)]], [[batch_of(3, padded_to=4)]]])
    assert ranks.summary()["padding"] == pytest.approx(1 - 9 / 12)


def test_imbalance_is_of_each_step_and_then_their_mean():
    even, long, short = (batch_of(n, padded_to=8) for n in (5, 8, 4))
    ranks = Ranks([[[even, even], [long, short]], [[even, even], [short, short]]])
    # Even in the first step; in the second 12 tokens against 8, of which the mean is 10.
    assert ranks.summary()["imbalance"] == pytest.approx((1 + 1.2) / 2)


def test_one_process_is_even_and_every_line_begins_anew(world):
    work = StepWork()
    work.add([batch_of(2, padded_to=4)])
    assert work.summary(world) == {"padding": 0.5, "imbalance": 1.0}
    work.add([batch_of(4, padded_to=4)])
    assert work.summary(world) == {"padding": 0.0, "imbalance": 1.0}
