"""A tiling's grid and its kept tokens equal AVG-LLaVA's; ours is its rule at the finest level."""

from __future__ import annotations

from math import isqrt

import pytest
from golden_files import each_golden, golden_json

from seal.images.tiles import TilesConfig
from seal.tiling import NEWLINE, level_grid


def tiling_of(case, unpad):
    """The tiling of a golden case, by its set's tile, resolutions and finest level."""
    unpads = golden_json("avg/unpad")
    tile = unpads["tile"]
    grids = [[width // tile, height // tile] for width, height in unpads["pinpoints"]]
    side = isqrt(max(map(int, case["levels"])))
    return TilesConfig(grids=grids, unpad=unpad).tiling(*case["image_size"], tile=tile, side=side)


@pytest.mark.goldens("avg_unpad")
def test_grids_and_kept_tokens_as_released_equal_the_originals():
    tile = golden_json("avg/unpad")["tile"]
    for case in each_golden("avg/unpad", "cases"):
        tiling, size = tiling_of(case, "as_released"), case["image_size"]
        assert [tiling.rows, tiling.columns] == case["tiles"], size
        assert [tile * tiling.columns, tile * tiling.rows] == case["resolution"], size
        for level, expected in case["levels"].items():
            high, wide = level_grid(int(level), tiling.side)
            assert [high, wide] == expected["tile_grid"]
            assert [tiling.rows * high, tiling.columns * wide] == expected["grid"]
            kept = tiling.kept(int(level))
            for part, name in zip(kept, ("rows", "cols"), strict=True):
                if name in expected:  # the set names no place where nothing is left
                    assert [part.start, part.stop] == expected[name], (size, level)
            assert list(map(len, kept)) == expected["kept"], (size, level)
            assert tiling.count(int(level)) == expected["tokens"], (size, level)
            cells = tiling.cells(int(level))
            assert len(cells) == expected["tokens"]
            assert (cells == NEWLINE).sum() == expected["kept"][0]


@pytest.mark.goldens("avg_unpad")
def test_ours_at_the_finest_level_equals_the_originals_unless_that_keeps_nothing():
    kept_nothing = 0
    for case in each_golden("avg/unpad", "cases"):
        released, ours = tiling_of(case, "as_released"), tiling_of(case, "tile")
        finest = ours.side**2
        if 0 in case["levels"][str(finest)]["kept"]:
            kept_nothing += 1
            assert min(map(len, ours.kept(finest))) in (1, 2)
        else:
            assert ours.kept(finest) == released.kept(finest)
        counts = [ours.count(level) for level in sorted(map(int, case["levels"]))]
        assert counts == sorted(counts), case["image_size"]
    assert kept_nothing < len(golden_json("avg/unpad")["cases"])
