"""Which paths there are, and what each is compared with."""

from __future__ import annotations

import pytest

from seal.evaluation.speed.levers import (
    BARE,
    FORCED_CUE,
    ON_CPU,
    ON_GPU,
    ORIGINAL,
    SINGLE,
    Levers,
    chosen_paths,
    reference_of,
)
from seal.inference.graphs import MOST_ROWS


def test_each_single_lever_differs_from_the_bare_engine_in_one_thing() -> None:
    every = {**SINGLE, **ON_CPU, **ON_GPU}
    for levers in every.values():
        changed = [
            name for name in Levers.__slots__ if getattr(levers, name) != getattr(Levers(), name)
        ]
        assert len(changed) == 1
    assert len({*every.values()}) == len(every)


def test_what_a_path_is_compared_with_is_measured_with_it() -> None:
    assert list(chosen_paths([ORIGINAL], [1], "cpu")) == [ORIGINAL, BARE]
    assert list(chosen_paths(["all"], [1, 8], "cpu")) == [FORCED_CUE, "all_1", "all_8"]
    alone = chosen_paths(["alone"], [1], "cpu")
    assert set(alone) == {BARE, *SINGLE, *ON_CPU}
    assert set(chosen_paths(["alone"], [1], "cuda")) == {BARE, *SINGLE, *ON_GPU}
    for name, levers in alone.items():
        assert reference_of(levers) in alone, name


def test_all_levers_fill_small_batches_and_stay_within_the_rows_of_a_graph() -> None:
    on_cpu, on_gpu = (chosen_paths(["all"], [1, 16], device) for device in ("cpu", "cuda"))
    ahead = [levers.lookahead for levers in (*on_cpu.values(), *on_gpu.values()) if levers]
    assert ahead == [0, 3, 0, 0, 0, 0]
    one, many = on_gpu["all_1"], on_gpu["all_16"]
    assert one is not None and many is not None
    assert one.speed().max_batch == one.model_options()["max_batch"] == 4
    assert one.model_options()["max_batch"] <= MOST_ROWS
    assert (one.speed().concurrency, many.speed().concurrency) == (4, 16)


def test_an_unknown_path_is_named() -> None:
    with pytest.raises(ValueError, match=r"no 'all_3'; known: alone, all, original, .*all_1"):
        chosen_paths(["all_3"], [1], "cpu")
