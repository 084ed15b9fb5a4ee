"""Slots are handed out as neighbours, taken back, and read as views of where they lie."""

from __future__ import annotations

import random

import pytest
import torch

from seal.inference.prefix_pool import PrefixPool, PrefixShape

SHAPE = PrefixShape(layers=2, heads=3, length=5, head_width=4, dtype=torch.float32)


def pool(capacity: int = 10, block: int = 4) -> PrefixPool:
    return PrefixPool(SHAPE, torch.device("cpu"), capacity=capacity, block=block)


def numbered(made: PrefixPool, slots: list[int]) -> None:
    """Write its own number into each slot."""
    for slot in slots:
        (run,) = made.runs([slot])
        run.keys.fill_(slot)
        run.values.fill_(-slot)


def test_rows_are_given_the_slots_they_name_whatever_the_runs() -> None:
    made, draw = pool(capacity=11, block=4), random.Random(0)
    slots = made.take(3) + made.take(4) + made.take(4)
    numbered(made, slots)
    for _ in range(200):
        asked = sorted(draw.choices(slots, k=draw.randint(1, 9)))
        seen = []
        for run in made.runs(asked):
            assert run.keys._base is not None, "a copy, not a view"
            assert run.rows.start == len(seen)
            for keys, values in zip(run.keys.unbind(1), run.values.unbind(1), strict=True):
                assert keys.unique().numel() == 1 and torch.equal(values, -keys)
                seen += [int(keys.flatten()[0])] * run.repeat
            assert run.rows.stop == len(seen)
        assert seen == asked


def test_neighbours_are_one_run_and_a_block_ends_it() -> None:
    made = pool(capacity=8, block=4)
    made.take(8)
    assert [run.rows for run in made.runs([0, 1, 2, 3])] == [slice(0, 4)]
    assert [run.rows for run in made.runs([2, 3, 4])] == [slice(0, 2), slice(2, 3)]
    assert [(run.rows, run.repeat) for run in made.runs([0, 0, 1, 1, 3])] == [
        (slice(0, 4), 2), (slice(4, 5), 1),
    ]  # fmt: skip


def test_slots_are_neighbours_where_there_are_such() -> None:
    made = pool(capacity=8, block=4)
    first = made.take(4)
    assert first == [0, 1, 2, 3]
    made.give_back(1)
    assert made.take(2) == [4, 5]
    assert made.take(3) == [1, 6, 7]  # there are no three neighbours


def test_memory_is_taken_by_blocks_and_never_beyond_the_capacity() -> None:
    made = pool(capacity=6, block=4)
    assert made.num_bytes == 0
    made.take(1)
    assert made.num_bytes == 4 * SHAPE.num_bytes
    made.take(5)
    assert made.num_bytes == 6 * SHAPE.num_bytes and made.num_left == 0
    with pytest.raises(ValueError, match="1 slots of 6, of which 0 are left"):
        made.take(1)


def test_memory_of_the_last_blocks_goes_when_nobody_uses_them() -> None:
    made = pool(capacity=10, block=4)
    slots = made.take(10)
    made.give_memory_back()
    assert made.num_bytes == 10 * SHAPE.num_bytes
    for slot in slots[4:]:
        made.give_back(slot)
    made.give_back(slots[1])
    made.give_memory_back()
    assert made.num_bytes == 4 * SHAPE.num_bytes and made.num_left == 7
    assert made.take(7) == [1, *range(4, 10)]


def test_what_is_given_back_is_handed_out_again() -> None:
    made, draw = pool(capacity=9, block=4), random.Random(1)
    held: list[int] = []
    for _ in range(300):
        if held and draw.random() < 0.5:
            made.give_back(held.pop(draw.randrange(len(held))))
        elif made.num_left:
            held += made.take(draw.randint(1, made.num_left))
        assert len(set(held)) == len(held) == made.num_used
        assert all(0 <= slot < 9 for slot in held)
