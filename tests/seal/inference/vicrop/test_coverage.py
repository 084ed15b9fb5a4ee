"""What lies in annotated boxes is counted as a fine raster counts it."""

from __future__ import annotations

import numpy as np
import pytest

from seal.geometry import Box
from seal.inference.vicrop.coverage import chance, common, coverage, disjoint, mass
from seal.inference.vicrop.place import PlacedMap

SIZE = (60, 40)


def painted(placed, size):
    """The density of the map at the middle of every pixel of the image."""
    rows, columns = placed.values.shape
    x = (np.arange(size[0]) + 0.5 - placed.view.x0) / placed.view.width * columns
    y = (np.arange(size[1]) + 0.5 - placed.view.y0) / placed.view.height * rows
    return placed.values[y.astype(int)[:, None], x.astype(int)]


def inside(boxes, size):
    seen = np.zeros(size[::-1], bool)
    for box in boxes:
        x0, y0, x1, y1 = (max(0, edge) for edge in box.as_ints())
        seen[y0:y1, x0:x1] = True
    return seen


@pytest.mark.parametrize("view", [Box(0, 0, 60, 40), Box(0, -10, 60, 50)])
@pytest.mark.parametrize("seed", range(5))
def test_shares_are_those_of_a_raster(view, seed):
    rng = np.random.default_rng(seed)
    # Cells of whole pixels, so that the raster is exact.
    placed = PlacedMap(rng.random((4, 6) if view.y0 == 0 else (6, 6)), view)
    boxes = []
    for _ in range(3):
        x0, y0 = rng.integers(-5, 50), rng.integers(-5, 30)
        boxes.append(Box(x0, y0, x0 + rng.integers(6, 30), y0 + rng.integers(6, 30)))
    window = Box(10, 5, 40, 35)
    found = coverage(placed, window, boxes, SIZE)
    heat, seen = painted(placed, SIZE), inside(boxes, SIZE)
    assert found.share == pytest.approx(heat[seen].sum() / heat.sum())
    assert found.covered == pytest.approx((seen & inside([window], SIZE)).sum() / seen.sum())
    assert found.crop == pytest.approx(30 * 30 / (60 * 40))
    assert chance(boxes, SIZE) == pytest.approx(seen.mean())


def test_a_flat_map_has_what_chance_has():
    boxes = [Box(3, 4, 20, 11), Box(10, 2, 31, 9)]
    for view in (Box(0, 0, *SIZE), Box(0, -10, 60, 50)):
        found = coverage(PlacedMap(np.ones((7, 9)), view), Box(0, 0, *SIZE), boxes, SIZE)
        assert found.share == pytest.approx(chance(boxes, SIZE))
        assert (found.covered, found.crop) == (1, 1)


def test_cells_without_a_number_are_cold_and_a_cold_map_covers_nothing():
    values = np.array([[np.nan, 1.0], [np.inf, 3.0]])
    found = coverage(
        PlacedMap(values, Box(0, 0, *SIZE)), Box(0, 0, 1, 1), [Box(0, 0, 60, 20)], SIZE
    )
    assert found.share == pytest.approx(1 / 4)
    cold = PlacedMap(np.zeros((2, 2)), Box(0, 0, *SIZE))
    assert coverage(cold, Box(0, 0, 9, 9), [Box(0, 0, 9, 9)], SIZE).share == 0


def test_a_cell_that_lies_half_inside_counts_by_half():
    placed = PlacedMap(np.array([[2.0, 4.0]]), Box(0, 0, 20, 10))
    assert mass(placed, Box(5, 0, 15, 10)) == pytest.approx(1 + 2)
    assert mass(placed, Box(-50, -50, 50, 50)) == pytest.approx(6)


def test_disjoint_boxes_cover_the_same_and_do_not_overlap():
    boxes = [Box(0, 0, 10, 10), Box(5, 5, 15, 15), Box(5, 5, 15, 15), Box(30, 1, 31, 39)]
    parts = disjoint(boxes)
    assert sum(part.area for part in parts) == 175 + 38
    assert all(common(a, b) is None for a in parts for b in parts if a is not b)


def test_boxes_outside_the_image_are_an_error():
    with pytest.raises(ValueError, match="no annotated box lies inside the image of 60 x 40"):
        coverage(
            PlacedMap(np.ones((2, 2)), Box(0, 0, *SIZE)), Box(0, 0, 9, 9), [Box(70, 0, 80, 9)], SIZE
        )
