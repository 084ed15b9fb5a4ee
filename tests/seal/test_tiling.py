"""Levels pool a tile's tokens; a picture's cells name each token that shows any of it, once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seal.tiling import NEWLINE, UNPADS, Tiling, level_grid, possible_levels, standard_levels

LEVELS = standard_levels(24)


def test_the_five_levels_of_clips_tile_are_those_of_the_paper():
    assert LEVELS == (36, 72, 144, 288, 576)
    grids = [level_grid(level, 24) for level in LEVELS]
    assert grids == [(6, 6), (12, 6), (12, 12), (24, 12), (24, 24)]


def test_possible_levels_are_those_that_divide_and_no_others():
    for side in (1, 6, 7, 16, 24):
        able = possible_levels(side)
        assert able[0] == 1 and able[-1] == side * side
        for level in range(-1, side * side + 2):
            if level in able:
                rows, columns = level_grid(level, side)
                assert rows * columns == level and rows in (columns, 2 * columns)
                assert side % rows == 0 and side % columns == 0
            else:
                with pytest.raises(
                    ValueError, match=rf"^{level} is no level.*divide it: 1, .*|: 1$"
                ):
                    level_grid(level, side)


def test_a_side_without_five_levels_is_refused():
    for side in (0, 6, 7):
        with pytest.raises(ValueError, match=r"multiple of 4; .*granularity.levels\)"):
            standard_levels(side)


def test_cells_are_the_global_tile_then_each_kept_row_and_its_newline():
    """2 x 1 tiles of 2 x 2 tokens, all of which a picture twice as wide as high takes."""
    tiling = Tiling(columns=2, rows=1, width=60, height=30, side=2)
    assert tiling.num_tiles == 3
    # tile * 4 + token: the global tile, then the upper rows of both local tiles, then the lower.
    assert tiling.cells(4).tolist() == [0, 1, 2, 3, 4, 5, 8, 9, NEWLINE, 6, 7, 10, 11, NEWLINE]
    assert tiling.cells(2).tolist() == [0, 1, 2, 4, NEWLINE, 3, 5, NEWLINE]  # rows of one token
    assert tiling.cells(1).tolist() == [0, 1, 2, NEWLINE]


sizes = st.tuples(st.integers(1, 4000), st.integers(1, 4000))
grids = st.tuples(st.integers(1, 3), st.integers(1, 3))


@given(sizes, grids, st.sampled_from((4, 8, 12, 24)), st.sampled_from(UNPADS))
def test_cells_are_as_many_as_counted_and_none_is_there_twice(size, grid, side, unpad):
    tiling = Tiling(columns=grid[0], rows=grid[1], width=size[0], height=size[1], side=side,
                    unpad=unpad)  # fmt: skip
    for level in standard_levels(side):
        cells = tiling.cells(level)
        rows, columns = tiling.kept(level)
        assert cells.dtype == np.int64 and cells.shape == (tiling.count(level),)
        assert (cells[:level] == np.arange(level)).all()
        tokens = cells[cells != NEWLINE]
        assert len(np.unique(tokens)) == len(tokens) == level + len(rows) * len(columns)
        assert tokens.min() >= 0 and tokens.max() < tiling.num_tiles * level
        local = cells[level:].reshape(len(rows), len(columns) + 1)
        assert (local[:, -1] == NEWLINE).all() and (local[:, :-1] >= level).all()


@given(sizes, grids, st.sampled_from((4, 8, 24)))
def test_a_finer_level_takes_no_fewer_tokens_and_each_shows_the_same_part(size, grid, side):
    tiling = Tiling(columns=grid[0], rows=grid[1], width=size[0], height=size[1], side=side)
    levels = standard_levels(side)
    fine = tiling.kept(side * side)
    assert all(len(kept) > 0 for kept in fine)
    counts = [tiling.count(level) for level in levels]
    assert counts == sorted(counts)
    for level in levels:
        for kept, finest, cells in zip(
            tiling.kept(level), fine, level_grid(level, side), strict=True
        ):
            pooled = side // cells
            # As few cells as hold all that is kept at the finest level.
            assert kept.start * pooled <= finest.start < (kept.start + 1) * pooled
            assert (kept.stop - 1) * pooled < finest.stop <= kept.stop * pooled


@given(sizes, grids)
def test_the_kept_part_is_the_pictures_own_shape_to_a_token_on_each_side(size, grid):
    (width, height), (columns, rows) = size, grid
    tiling = Tiling(columns=columns, rows=rows, width=width, height=height, side=24)
    scale = min(24 * columns / width, 24 * rows / height)
    for kept, length in zip(tiling.kept(576), (height, width), strict=True):
        assert abs(len(kept) - length * scale) < 2


def test_a_square_keeps_its_rows_at_every_level_where_the_released_rule_halves_them():
    ours, released = (
        Tiling(columns=2, rows=2, width=500, height=500, side=24, unpad=unpad) for unpad in UNPADS
    )
    assert [ours.count(level) for level in LEVELS] == [192, 384, 744, 1488, 2928]
    assert [released.count(level) for level in LEVELS] == [192, 228, 744, 888, 2928]


def test_a_very_flat_picture_keeps_a_row_where_the_released_rule_keeps_none():
    ours, released = (
        Tiling(columns=3, rows=1, width=3000, height=40, side=24, unpad=unpad) for unpad in UNPADS
    )
    assert [released.count(level) - level for level in LEVELS] == [0] * 5
    # The picture lies across the border of the two middle rows: both, or the cells they are in.
    assert [len(ours.kept(level)[0]) for level in LEVELS] == [2, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"columns": 0}, "columns=0 must be positive"),
        ({"height": -3}, "height=-3 must be positive"),
        ({"unpad": "none"}, "unpad='none' is none of tile, as_released"),
    ],
)
def test_a_tiling_that_cannot_be_is_refused(changed, said):
    with pytest.raises(ValueError, match=said):
        Tiling(**{"columns": 1, "rows": 1, "width": 5, "height": 5, "side": 4, **changed})
