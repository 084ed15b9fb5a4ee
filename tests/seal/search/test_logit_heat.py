"""Heat at the resolution of the logits has the numbers of the map that would be made of them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seal.geometry import Box
from seal.ops.maps import resized_map
from seal.search import logit_heat
from seal.search.heatmap import NumpyHeat
from seal.search.logit_heat import LogitHeat
from seal.search.tree import split

SQUARE = (1.0, 1.0)


def made_map(logits, width, height, extent=SQUARE):
    return resized_map(torch.from_numpy(logits), height, width, extent).clamp(min=0).numpy()


def reference(logits, width, height, extent=SQUARE):
    """In float64 from the map on: what is left are the roundings of the map's own pixels."""
    return NumpyHeat(made_map(logits, width, height, extent).astype(np.float64))


def some_logits(seed, height, width, offset=0.0):
    noise = np.random.default_rng(seed).standard_normal((height, width)) * 3 + offset
    return noise.astype(np.float32)


def nested(width, height):
    """The children and those of their children that have pixels."""
    children = split(Box(0, 0, width, height))
    return [r for cell in children for r in [cell, *(split(cell) if cell.area else [])]]


def assert_the_same(logits, width, height, extent=SQUARE):
    heat, expected = (
        LogitHeat(logits, width, height, extent),
        reference(logits, width, height, extent),
    )
    largest = float(np.abs(logits).max())
    # Measured: 1.7e-7 of the largest logit, and of the shares 6e-8.
    assert heat.peak() == pytest.approx(expected.peak(), abs=5e-7 * largest)
    # Unless what stands above the floor is itself close to the rounding of the map's pixels.
    above = float((expected.to_numpy() - expected.to_numpy().min()).mean())
    regions, atol = nested(width, height), 1e-6 * max(1, 0.1 * largest / max(above, 1e-30))
    np.testing.assert_allclose(heat.shares(regions), expected.shares(regions), atol=atol)
    return heat


@given(
    st.integers(0, 999), st.integers(2, 30), st.integers(2, 30), st.integers(1, 160),
    st.integers(1, 160), st.sampled_from([-8.0, -3.0, 0.0, 5.0, 12.0]), st.booleans(),
)  # fmt: skip
@settings(max_examples=150, deadline=None, derandomize=True)
def test_peak_and_shares_equal_those_of_the_map(seed, rows, columns, width, height, offset, padded):
    longest = max(width, height)
    extent = (width / longest, height / longest) if padded else SQUARE
    assert_the_same(some_logits(seed, rows, columns, offset), width, height, extent)


@pytest.mark.parametrize("wide", [True, False])
def test_at_twelve_thousand_pixels_the_numbers_are_still_those_of_the_map(wide):
    size = (12000, 70) if wide else (70, 12000)
    assert_the_same(some_logits(1, 192, 192), *size)


def test_a_map_of_as_many_pixels_as_logits_is_the_logits():
    logits = some_logits(2, 40, 30)
    heat = assert_the_same(logits, 30, 40)
    np.testing.assert_array_equal(heat.to_numpy(), logits.clip(0))


def test_the_map_itself_is_made_in_bands_that_fit_together(monkeypatch):
    logits = some_logits(3, 16, 24)
    whole = LogitHeat(logits, 300, 200, (1.0, 2 / 3)).to_numpy()
    monkeypatch.setattr(logit_heat, "BAND_PIXELS", 2000)
    banded = LogitHeat(logits, 300, 200, (1.0, 2 / 3)).to_numpy()
    np.testing.assert_array_equal(whole, banded)
    assert banded.dtype == np.float32
    expected = made_map(logits, 300, 200, (1.0, 2 / 3))
    np.testing.assert_allclose(banded, expected, atol=5e-7 * np.abs(logits).max())


@given(st.integers(0, 99), st.integers(2, 12), st.integers(4, 400), st.integers(4, 400))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_shares_of_any_partition_sum_to_one(seed, size, width, height):
    logits = some_logits(seed, size, size)
    logits[0, 0], logits[-1, -1] = 5, -5  # or it may be empty
    xs, ys = (np.linspace(0, side, 4).astype(int) for side in (width, height))
    cells = [
        Box(*map(int, (xs[i], ys[j], xs[i + 1], ys[j + 1]))) for j in range(3) for i in range(3)
    ]
    assert sum(LogitHeat(logits, width, height).shares(cells)) == pytest.approx(1, abs=1e-12)


def test_regions_asked_for_one_by_one_or_together_have_the_same_shares():
    logits = some_logits(4, 20, 20)
    together = LogitHeat(logits, 333, 222)
    regions = [*nested(333, 222), Box(5, 6, 5, 90), Box(0, 0, 333, 222)]
    shares = together.shares(regions)
    alone = [LogitHeat(logits, 333, 222).shares([region])[0] for region in regions]
    assert shares == pytest.approx(alone, abs=1e-12)
    assert shares[-2:] == [0.0, pytest.approx(1.0)]
    assert together.shares([]) == []


def test_regions_without_heat_have_equal_shares_as_in_the_reference():
    """Exactly: how equal scores leave the frontier is fixed, and 1e-18 would be another order."""
    logits = some_logits(8, 24, 24)
    logits[11:, 5:] = -np.abs(logits[11:, 5:])  # in a corner, where sums of sums do not cancel
    expected = np.array(reference(logits, 640, 480).shares(nested(640, 480)))
    shares = np.array(LogitHeat(logits, 640, 480).shares(nested(640, 480)))
    assert (expected == 0).sum() >= 3 and (expected > 0).sum() >= 8
    np.testing.assert_array_equal(shares == 0, expected == 0)
    assert (shares >= 0).all()


def test_a_large_photograph_takes_no_memory_of_its_size():
    heat = LogitHeat(some_logits(5, 64, 64), 12000, 9000)
    tracemalloc.start()
    heat.peak()
    heat.shares(split(Box(0, 0, 12000, 9000)))
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held < 6e6  # measured: 3.5 MB; its map has 432


def test_a_heat_keeps_its_own_logits():
    batch = np.stack([some_logits(6, 8, 8), some_logits(7, 8, 8)])
    heat = LogitHeat(batch[1], 50, 40)
    peak = heat.peak()
    batch[:] = 0
    again = LogitHeat(some_logits(7, 8, 8), 50, 40)
    assert (heat.shares(nested(50, 40)), peak) == (again.shares(nested(50, 40)), again.peak())


@pytest.mark.parametrize("value", [0.0, 2.0, -3.0, 0.1])
def test_a_constant_map_points_nowhere_and_one_without_a_positive_logit_has_no_peak(value):
    heat = LogitHeat(np.full((6, 8), value, np.float32), 90, 70)
    assert heat.peak() == pytest.approx(max(value, 0.0))
    assert heat.shares(split(Box(0, 0, 90, 70))) == [0.0] * 4


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_logits_that_are_not_finite_stop_the_search_and_name_the_precision(wrong):
    logits = np.zeros((8, 8), np.float16)
    logits[3, 4] = wrong
    heat = LogitHeat(logits, 40, 30, precision="torch.float16")
    with pytest.raises(FloatingPointError, match=r"not finite in torch\.float16; load it with"):
        heat.peak()
    with pytest.raises(FloatingPointError, match="not finite"):
        heat.shares([Box(0, 0, 20, 30)])
