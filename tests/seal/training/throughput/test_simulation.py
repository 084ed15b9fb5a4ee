"""The plan of training, on the lengths of both mixtures."""

from __future__ import annotations

import pytest

from seal.training.plan import Plan
from seal.training.throughput.samples import Extent
from seal.training.throughput.simulation import balance, by_length, plan_document, simulate

STEPS = 60


@pytest.mark.parametrize("program", ["vqa", "vsm"])
def test_the_plan_keeps_8_and_32_ranks_at_work(program: str) -> None:
    few, many = simulate(program, steps=STEPS, seed=3)
    assert (few.ranks, many.ranks) == (8, 32)
    assert few.ours.useful >= 0.95
    assert many.ours.useful >= 0.85
    for each in (few, many):
        assert each.ours.padding < 0.01
        assert each.ours.useful > each.grouping.useful
        assert each.ours.useful > each.original.useful
    document = plan_document([few, many])[program]
    assert document["8"] == {"useful": few.ours.useful, "padding": few.ours.padding}
    assert list(document) == ["8", "32"]


def test_the_slowest_rank_of_each_round_is_waited_for() -> None:
    extents = [Extent((16,), 16), Extent((48,), 48), Extent((8,), 8), Extent((8,), 8)]
    run = balance(extents, Plan(4, 1), ranks=2, steps=1, packed=False)
    assert run.useful == 80 / (2 * 48 + 2 * 8)
    assert run.padding == 0


def test_padding_is_to_the_longest_row_and_a_packed_row_shares_its_trunk() -> None:
    extents = [Extent((40, 40), 50), Extent((10,), 10)]
    padded = balance(extents, Plan(2, 2), ranks=1, steps=1, packed=False)
    assert padded.padding == 1 - 90 / 120
    packed = balance(extents, Plan(2, 2), ranks=1, steps=1, packed=True)
    assert packed.useful == 60 / 64  # rows end at multiples of 8


def test_sorting_by_length_keeps_the_samples_and_makes_neighbors_alike() -> None:
    drawn = [Extent((length,), length) for length in (5, 90, 7, 80, 6, 70, 8, 60)]
    ordered = by_length(drawn, 4, seed=0)
    assert sorted(e.packed for e in ordered) == sorted(e.packed for e in drawn)
    assert {max(e.packed for e in ordered[at : at + 4]) for at in (0, 4)} == {8, 90}
