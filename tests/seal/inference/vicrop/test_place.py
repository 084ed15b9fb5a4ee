"""Maps laid over images of which the model saw more or less than there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seal.geometry import Box
from seal.inference.vicrop.place import PlacedMap, window_of
from seal.inference.vicrop.windows import choose_window


def _peak(rows: int, columns: int, row: int, column: int) -> np.ndarray:
    values = np.ones((rows, columns), np.float32)
    values[row, column] = 9
    return values


def test_a_map_over_the_whole_image_gives_the_plain_window():
    rng = np.random.default_rng(0)
    for width, height in ((640, 480), (333, 900), (100, 80)):
        values = rng.random((12, 12), np.float32)
        placed = PlacedMap(values, Box(0, 0, width, height))
        found = window_of(placed, (width, height), 112)
        assert found == choose_window(values, (width, height), 112)


def test_a_peak_in_the_padded_square_is_cropped_where_it_is_in_the_image():
    # 800 x 400 in a square of 800: cells of 100 pixels, the image from row 2 to row 5.
    placed = PlacedMap(_peak(8, 8, 4, 6), Box(0, -200, 800, 600))
    found = window_of(placed, (800, 400), 100)
    assert found.box == Box(600, 200, 700, 300)
    stretched = choose_window(placed.values, (800, 400), 100)
    assert stretched.box != found.box  # the original's view of it is somewhere else


def test_a_peak_in_the_cut_out_middle_is_cropped_where_it_is_in_the_image():
    # The middle 400 x 400 of 800 x 400.
    placed = PlacedMap(_peak(4, 4, 1, 3), Box(200, 0, 600, 400))
    assert window_of(placed, (800, 400), 100).box == Box(500, 100, 600, 200)


def test_a_peak_in_the_padding_is_no_place_in_the_image():
    placed = PlacedMap(_peak(8, 8, 0, 3), Box(0, -200, 800, 600))
    inside = placed.inside(800, 400)
    assert inside.values.shape == (4, 8) and inside.values.max() == 1
    assert inside.view == Box(0, 0, 800, 400)
    assert window_of(placed, (800, 400), 100).whole  # what is left is flat


def test_a_cell_that_reaches_into_the_image_stays_and_its_window_is_moved_in():
    # Cells of 100, the image's 300 rows begin in the middle of row 1.
    placed = PlacedMap(_peak(6, 6, 1, 2), Box(0, -150, 600, 450))
    inside = placed.inside(600, 300)
    assert inside.values.shape == (4, 6) and inside.view == Box(0, -50, 600, 350)
    assert window_of(placed, (600, 300), 100).box == Box(200, 0, 300, 100)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 900), st.integers(1, 900), st.integers(1, 30), st.integers(1, 30),
    st.floats(-500, 300), st.floats(-500, 300), st.floats(1, 2000), st.floats(1, 2000),
    st.integers(2, 400), st.integers(0, 2**31),
)  # fmt: skip
def test_windows_lie_in_the_image_wherever_the_map_does(
    width, height, rows, columns, x, y, wide, high, base, seed
):
    values = np.random.default_rng(seed).random((rows, columns), np.float32)
    placed = PlacedMap(values, Box(x, y, x + wide, y + high))
    box = window_of(placed, (width, height), base).box
    assert 0 <= box.x0 < box.x1 <= width and 0 <= box.y0 < box.y1 <= height
    assert all(edge == int(edge) for edge in (box.x0, box.y0, box.x1, box.y1))


def test_laying_a_map_over_a_part_keeps_its_mass_there():
    values = np.arange(16, dtype=np.float32).reshape(4, 4)
    placed = PlacedMap(values, Box(0, -100, 400, 300))
    over = placed.over(Box(0, 0, 400, 200))
    np.testing.assert_allclose(over, values[1:3])
    coarse = placed.over(Box(0, -100, 400, 300), (2, 2))
    np.testing.assert_allclose(coarse, values.reshape(2, 2, 2, 2).mean((1, 3)))
    assert placed.over(placed.view) is values


def test_where_nothing_was_seen_a_map_is_zero():
    over = PlacedMap(np.ones((2, 2), np.float32), Box(100, 0, 300, 200)).over(Box(0, 0, 400, 200))
    np.testing.assert_allclose(over, [[0, 1, 1, 0]] * 2)


def test_a_view_beside_the_image_still_gives_a_window_inside():
    placed = PlacedMap(np.ones((3, 3), np.float32), Box(500, 500, 600, 600))
    box = window_of(placed, (100, 100), 20).box
    assert box.x1 <= 100 and box.y1 <= 100


@pytest.mark.parametrize("guards", [True, False])
def test_guards_are_passed_on(guards):
    placed = PlacedMap(np.full((4, 4), np.nan, np.float32), Box(0, -50, 100, 150))
    assert bool(window_of(placed, (100, 100), 20, guards=guards).notes) == guards
