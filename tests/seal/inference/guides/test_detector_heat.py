"""Heat lies where the scores do, and its numbers are those one works out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from seal.geometry import Box
from seal.inference.guides.detector_heat import grid_heat


def test_scores_on_a_grid_are_the_heat_of_its_cells():
    scores = np.array([[0.1, 0.1], [0.1, 0.7]])
    heat = grid_heat(scores, 40, 20)
    assert heat.peak() == pytest.approx(0.7)
    assert heat.shares([Box(20, 10, 40, 20), Box(0, 0, 20, 20)]) == pytest.approx([1, 0])
    assert heat.to_numpy().shape == (20, 40)


@pytest.mark.parametrize(("width", "height"), [(100, 50), (100, 60), (50, 100), (97, 31)])
def test_what_lies_over_the_padding_is_cut_off(width, height):
    side = max(width, height)
    scores = np.full((8, 8), 0.2)
    scores[1, 1] = 0.6
    scores[int(np.ceil(height / side * 8)) :] = 0.99
    scores[:, int(np.ceil(width / side * 8)) :] = 0.99
    heat = grid_heat(scores, width, height, (side, side))
    assert heat.peak() <= 0.6 + 1e-9
    assert heat.to_numpy().shape == (height, width)
    cell = side / 8
    (share,) = heat.shares([Box(0.5 * cell, 0.5 * cell, 2.5 * cell, 2.5 * cell)])
    assert share > 0.8


def test_rows_that_the_edge_cuts_through_keep_their_part():
    """5 of 8 rows and a half: six rows are made, each the mean of 11/12 of a row."""
    scores = np.arange(8.0)[:, None] * np.ones((8, 8)) / 10
    heat = grid_heat(scores, 64, 44, (64, 64))
    assert heat.grid.shape == (6, 8)
    first = 0.0  # within row 0
    second = (1 / 12 * 0.0 + 10 / 12 * 0.1) / (11 / 12)
    last = (5 / 12 * 0.4 + 6 / 12 * 0.5) / (11 / 12)
    made = heat.grid[:, 0] * heat.peak()
    assert made[[0, 1, 5]] == pytest.approx([first, second, last], abs=1e-6)
