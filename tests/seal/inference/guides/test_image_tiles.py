from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seal.geometry import Box
from seal.inference.guides.image_tiles import image_tiles, scores_map, tiles_inside

SIZES = [(100, 60), (61, 97), (64, 64), (640, 41), (7, 5), (1, 300)]


@pytest.mark.parametrize("size", SIZES)
def test_tiles_cover_every_pixel_and_none_outside(size):
    width, height = size
    seen = np.zeros((height, width), int)
    for tile in image_tiles(width, height, side=28, overlap=0.5, most=400):
        x0, y0, x1, y1 = tile.as_ints()
        assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
        seen[y0:y1, x0:x1] += 1
    assert seen.min() >= 1


@given(
    width=st.integers(1, 9000),
    height=st.integers(1, 9000),
    overlap=st.sampled_from([0.0, 0.5, 0.9]),
    most=st.integers(1, 50),
)
def test_they_are_no_more_than_allowed(width, height, overlap, most):
    tiles = image_tiles(width, height, side=224, overlap=overlap, most=most)
    assert len(tiles) <= most
    assert len({(tile.width, tile.height) for tile in tiles}) == 1


def test_neighbors_share_half_a_side():
    tiles = image_tiles(160, 96, side=32, overlap=0.5, most=400)
    assert [tile.x0 for tile in tiles[:9]] == [0, 16, 32, 48, 64, 80, 96, 112, 128]
    assert sorted({tile.y0 for tile in tiles}) == [0, 16, 32, 48, 64]


def test_small_images_still_have_a_map():
    assert len(image_tiles(300, 200, side=224, overlap=0.5, most=400)) == 5 * 3


@pytest.mark.parametrize("size", SIZES)
def test_the_map_is_the_mean_of_the_tiles_over_each_place(size):
    width, height = size
    tiles = image_tiles(width, height, side=28, overlap=0.5, most=400)
    scores = np.random.default_rng(0).random(len(tiles)).astype(np.float32)
    for patch in (Box(0, 0, width, height), Box(width // 3, 0, width, max(height // 2, 1))):
        got = scores_map(tiles, scores, patch)
        rows, columns = got.shape
        for row in range(rows):
            for column in range(columns):
                x = patch.x0 + (column + 0.5) * patch.width / columns
                y = patch.y0 + (row + 0.5) * patch.height / rows
                over = [
                    score
                    for tile, score in zip(tiles, scores, strict=True)
                    if tile.x0 <= x < tile.x1 and tile.y0 <= y < tile.y1
                ]
                assert got[row, column] == pytest.approx(np.mean(over), rel=1e-5)


def test_a_tile_that_reaches_over_the_border_of_a_patch_is_not_inside():
    tiles = image_tiles(160, 96, side=32, overlap=0.5, most=400)
    inside = tiles_inside(tiles, Box(16, 16, 80, 64))
    assert [tiles[i].as_ints()[:2] for i in inside] == [
        (16, 16), (32, 16), (48, 16), (16, 32), (32, 32), (48, 32),
    ]  # fmt: skip
    assert tiles_inside(tiles, Box(1, 1, 32, 32)) == []
