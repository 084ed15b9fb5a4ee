"""Tiles hold the picture once whole and once in parts, on the grid that keeps most of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from seal.images.tiles import TilesConfig, choose_grid, cut_into_tiles
from seal.tiling import Tiling

GRIDS = TilesConfig().grids


def noise(width, height):
    rng = np.random.default_rng((width, height))
    return Image.fromarray(rng.integers(1, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((672, 672), (2, 2)),
        ((336, 336), (1, 2)),  # as many pixels on three grids, as few wasted on two: the first
        ((1000, 300), (3, 1)),
        ((300, 1000), (1, 3)),
        ((672, 336), (2, 1)),
        ((9000, 1), (1, 2)),  # nothing is left of it on any grid
    ],
)
def test_the_grid_keeps_most_pixels_then_wastes_least_then_comes_first(size, grid):
    assert choose_grid(*size, 336, GRIDS) == grid


def test_tiles_without_scaling_are_the_pictures_own_pixels():
    image = noise(24, 12)
    tiles, grid = cut_into_tiles(image, 12, TilesConfig())
    assert grid == (2, 1)
    pixels = np.asarray(image).transpose(2, 0, 1)
    np.testing.assert_array_equal(tiles[1], pixels[:, :, :12])
    np.testing.assert_array_equal(tiles[2], pixels[:, :, 12:])
    whole = np.asarray(image.resize((12, 12), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    np.testing.assert_array_equal(tiles[0], whole)


def test_local_tiles_stand_row_by_row():
    colors = np.arange(1, 7, dtype=np.uint8).reshape(3, 2)  # of 3 rows of 2 tiles
    image = Image.fromarray(np.kron(colors, np.ones((8, 8), np.uint8))).convert("RGB")
    tiles, grid = cut_into_tiles(image, 8, TilesConfig(grids=[[2, 3]]))
    assert grid == (2, 3)
    assert [set(tile.flat) for tile in tiles[1:]] == [{1}, {2}, {3}, {4}, {5}, {6}]


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from((8, 14, 21)))
def test_the_canvas_holds_the_picture_in_its_middle_and_black_around_it(width, height, tile):
    tiles, (columns, rows) = cut_into_tiles(
        Image.new("RGB", (width, height), (255, 255, 255)), tile, TilesConfig()
    )
    assert len(tiles) == 1 + columns * rows
    assert all(t.shape == (3, tile, tile) and t.dtype == np.uint8 for t in tiles)
    assert tiles[0].min() == 255
    canvas = np.stack(tiles[1:]).reshape(rows, columns, 3, tile, tile)
    canvas = canvas.transpose(2, 0, 3, 1, 4).reshape(3, rows * tile, columns * tile)
    scale = min(columns * tile / width, rows * tile / height)
    for axis, length in ((1, height), (2, width)):
        lit = canvas.any(axis=tuple(a for a in range(3) if a != axis))
        (places,) = np.nonzero(lit)
        assert places[-1] - places[0] + 1 == len(places)
        assert -1e-6 < len(places) - length * scale < 1 + 1e-6  # rounded up
        assert abs(places[0] - (len(lit) - 1 - places[-1])) <= 1
    assert (canvas.any(0) == (canvas == 255).all(0)).all()


def test_no_kept_token_is_black_and_none_that_is_left_out_is_whole():
    """Pixels and tokens agree where the picture lies: 4 pixels a token, 6 tokens a tile."""
    for size in ((60, 60), (97, 41), (33, 200), (500, 40), (7, 300), (64, 48)):
        tiles, (columns, rows) = cut_into_tiles(noise(*size), 24, TilesConfig())
        canvas = np.stack(tiles[1:]).reshape(rows, columns, 3, 24, 24)
        lit = canvas.any(2).transpose(0, 2, 1, 3).reshape(rows * 6, 4, columns * 6, 4)
        any_of_it, all_of_it = lit.any((1, 3)), lit.all((1, 3))
        kept = np.zeros_like(any_of_it)
        tiling = TilesConfig().tiling(*size, tile=24, side=6)
        assert tiling == Tiling(columns, rows, *size, side=6)
        down, across = tiling.kept(36)
        kept[down.start : down.stop, across.start : across.stop] = True
        assert any_of_it[kept].all(), size
        assert kept[all_of_it].all(), size


def test_the_unpadding_of_the_configuration_reaches_the_tiling():
    released = TilesConfig(grids=[[4, 1]], unpad="as_released").tiling(50, 60, tile=8, side=4)
    assert released == Tiling(4, 1, 50, 60, side=4, unpad="as_released")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"grids": []}, "tiles.grids is empty"),
        ({"grids": [[1, 2], [2]]}, r"tiles.grids has \[2\]; a grid is \[columns, rows\]"),
        ({"grids": [[0, 2]]}, r"tiles.grids has \[0, 2\]"),
        ({"unpad": "no"}, "tiles.unpad='no' is none of tile, as_released"),
    ],
)
def test_a_wrong_configuration_is_refused(wrong, said):
    with pytest.raises(ValueError, match=said):
        TilesConfig(**wrong)
