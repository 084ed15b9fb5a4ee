"""Samples are dealt so that nobody waits, and a step's samples are those of the plain stream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seal.training.config import TrainConfig
from seal.training.plan import Plan, cut, deal, useful_share

LENGTHS = st.lists(st.integers(0, 800), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.data())
def test_every_sample_is_dealt_once_and_every_micro_batch_has_one(lengths, data):
    bins = data.draw(st.integers(1, len(lengths)))
    groups = deal(lengths, bins)
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    assert len(groups) == bins and all(groups)


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.data())
def test_no_group_is_larger_than_its_share_and_one_sample(lengths, data):
    bins = data.draw(st.integers(1, len(lengths)))
    sums = [sum(lengths[place] for place in group) for group in deal(lengths, bins)]
    assert sums == sorted(sums, reverse=True)
    # One that counts as 1 though it has no length, apart.
    assert sums[0] <= sum(max(length, 1) for length in lengths) / bins + max(lengths)


def test_more_micro_batches_than_samples_are_refused():
    with pytest.raises(ValueError, match="2 samples cannot be dealt to 3"):
        deal([4, 4], 3)


def test_without_lengths_neighbors_stay_together():
    assert cut(6, 3) == [[0, 1], [2, 3], [4, 5]]
    assert Plan(6, 2).bins(2) == [[12, 13], [14, 15], [16, 17]]


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_a_step_reads_the_samples_of_the_plain_stream_whatever_the_processes(world_size):
    rng = np.random.default_rng(0)
    lengths = rng.integers(30, 700, 160).tolist()
    plan = Plan(32, 4, lengths.__getitem__)
    for step in range(5):
        ranks = [plan.micro_batches(step, rank, world_size) for rank in range(world_size)]
        assert {len(mine) for mine in ranks} == {plan.accumulation(world_size)}
        read = sorted(index for mine in ranks for group in mine for index in group)
        assert read == list(range(32 * step, 32 * (step + 1)))
        rounds = [group for turn in zip(*ranks, strict=True) for group in turn]
        assert rounds == plan.bins(step)  # so one process adds the same micro-batches up


def test_the_useful_share_is_what_the_slowest_leaves():
    assert useful_share([10, 10, 5, 5], 2) == 1.0
    assert useful_share([10, 5], 2) == 0.75
    assert useful_share([10, 5], 1) == 1.0


def test_dealing_by_tokens_beats_the_stream_on_uneven_samples():
    rng = np.random.default_rng(1)
    lengths = rng.lognormal(6, 0.5, 128).astype(int).tolist()
    dealt, plain = deal(lengths, 8), cut(128, 8)
    shares = [useful_share([sum(lengths[i] for i in g) for g in groups], 8)
              for groups in (dealt, plain)]  # fmt: skip
    assert shares[0] > 0.98 > shares[1]


def test_a_run_deals_by_length_only_if_it_is_to():
    class Stream:
        def length(self, index: int) -> int:
            return [9, 1, 1, 1, 9, 1, 1, 1][index % 8]

    def bins(dealing: str) -> list[list[int]]:
        numbers = {"global_batch_size": 8, "micro_batch_size": 4}
        train = TrainConfig(num_steps=1, dealing=dealing, **numbers)
        return Plan.of(train, Stream()).bins(0)

    assert bins("stream") == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert {0, 4} & set(bins("balanced")[0]) != {0, 4}  # a long one in each
