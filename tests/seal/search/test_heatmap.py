"""Heat: the stored maps give the original's sums to the last bit; shares behave like shares."""

from __future__ import annotations

import numpy as np
import pytest
from golden_files import each_golden, golden_arrays
from hypothesis import given, settings
from hypothesis import strategies as st

from seal.geometry import Box
from seal.search.heatmap import GridHeat, NumpyHeat, heat_grid, normalize, region_shares
from seal.search.tree import split


@pytest.mark.goldens("splits")
def test_shares_and_normalization_equal_the_original_to_the_last_bit():
    arrays = golden_arrays("splits")
    for i, case in enumerate(each_golden("splits", "subpatch_scores")):
        heatmap = arrays[f"heat{i}"]
        x0, y0 = case["bbox"][:2]
        for regions, scores in [
            ("sub_patches", "scores"),
            ("grandchildren", "grandchild_scores"),
        ]:
            boxes = [Box.from_xywh(*xywh).shift(-x0, -y0) for xywh in case[regions]]
            assert region_shares(heatmap, boxes) == case[scores], (i, case["kind"])
        assert (normalize(heatmap) == arrays[f"norm{i}"]).all()
        assert (normalize(heatmap) == 0).all() == case["norm_equals_zero"] or (heatmap == 0).all()


sizes = st.integers(2, 40)


def random_map(seed, height, width):
    return np.random.default_rng(seed).random((height, width), np.float32)


@given(st.integers(0, 99), sizes, sizes)
@settings(max_examples=60, deadline=None)
def test_shares_of_the_children_sum_to_one(seed, height, width):
    heat = NumpyHeat(random_map(seed, height, width))
    assert sum(heat.shares(split(Box(0, 0, width, height)))) == pytest.approx(1, abs=1e-5)


@given(st.integers(0, 99), sizes, sizes)
@settings(max_examples=60, deadline=None)
def test_a_grid_as_fine_as_the_map_has_the_same_shares(seed, height, width):
    values = random_map(seed, height, width)
    fine, reference = GridHeat(values, width, height, float(values.max())), NumpyHeat(values)
    regions = split(Box(0, 0, width, height))
    assert fine.shares(regions) == pytest.approx(reference.shares(regions), abs=1e-5)
    assert fine.peak() == pytest.approx(reference.peak())
    assert fine.to_numpy() == pytest.approx(values, abs=1e-6)


@given(st.integers(0, 99), st.integers(1, 9), st.integers(1, 9), sizes, sizes)
@settings(max_examples=60, deadline=None)
def test_shares_of_a_coarse_grid_sum_to_one_for_any_patch(seed, rows, cols, width, height):
    heat = GridHeat(random_map(seed, rows, cols), width, height)
    total = sum(heat.shares(split(Box(0, 0, width, height))))
    assert total == pytest.approx(1 if rows * cols > 1 else 0, abs=1e-9)


@pytest.mark.parametrize("value", [0.0, 7.5])
def test_a_constant_map_points_nowhere(value):
    values = np.full((6, 8), value, np.float32)
    for heat in (NumpyHeat(values), GridHeat(values, 8, 6)):
        assert heat.shares(split(Box(0, 0, 8, 6))) == [0.0] * 4


def test_shares_are_of_the_normalized_map_but_the_peak_is_raw():
    heat = NumpyHeat(np.array([[5, 5], [5, 9]], np.float32))
    assert heat.peak() == 9
    assert heat.shares(split(Box(0, 0, 2, 2))) == [0, 0, 0, 1]


def test_a_small_grid_of_a_large_map_points_to_the_same_place():
    values = np.zeros((300, 600), np.float32)
    values[250:260, 30:40] = 4
    grid = heat_grid(NumpyHeat(values), 600, 300, cells=12)
    assert grid.shape == (6, 12)
    assert np.unravel_index(grid.argmax(), grid.shape) == (5, 0)
    assert grid.max() == 1


def test_a_grid_of_a_patch_smaller_than_the_grid_has_one_cell_a_pixel():
    values = random_map(0, 3, 5)
    grid = heat_grid(NumpyHeat(values), 5, 3, cells=24)
    assert grid.shape == (3, 5)
    assert grid == pytest.approx(normalize(values), abs=1e-6)
