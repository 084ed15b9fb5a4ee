"""Tiles' pixels equal what AVG-LLaVA's tower is given, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from golden_files import counted, golden_arrays, golden_json, golden_path

from seal.images import normalize_bytes, open_image
from seal.images.tiles import TilesConfig, cut_into_tiles

ENDING = "_pixels_sub"


@pytest.mark.goldens("avg_tiles")
def test_pixels_of_all_tiles_equal_the_originals_bit_for_bit():
    config = golden_json("avg/model/config")
    tile = config["vision"]["image_size"]
    tiles_config = TilesConfig(
        grids=[[width // tile, height // tile] for width, height in config["image_grid_pinpoints"]]
    )
    pictures = [key for key in golden_arrays("avg/stage3") if key.endswith(ENDING)]
    assert pictures
    for key in counted(pictures):
        image = open_image(golden_path(f"avg/avg_{key.removesuffix(ENDING)}.png"))
        tiles, (columns, rows) = cut_into_tiles(image, tile, tiles_config)
        assert len(tiles) == 1 + columns * rows
        pixels = np.stack([normalize_bytes(part) for part in tiles])[:, :, ::37, ::37]
        np.testing.assert_array_equal(pixels, golden_arrays("avg/stage3")[key], err_msg=key)
