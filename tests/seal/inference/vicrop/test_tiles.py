"""Tiles are those of the original; ours end with the image, and a portrait has some."""

from __future__ import annotations

import numpy as np
import pytest
from golden_files import each_golden, golden_json
from PIL import Image

from seal.inference.vicrop.config import ViCropConfig
from seal.inference.vicrop.tiles import tiling, wants_tiles


def counting_map(call):
    return 100 * call + np.arange(6).reshape(2, 3)


@pytest.mark.goldens("vicrop_splits")
def test_tiles_and_joined_maps_are_those_of_the_original():
    threshold = golden_json("vicrop/splits")["threshold"]
    for case in each_golden("vicrop/splits", "cases"):
        size = tuple(case["image_size"])
        if "raises" in case:
            with pytest.raises(ValueError, match="the original cannot cut an image of"):
                tiling(size, threshold, as_released=True)
            continue
        tiles = tiling(size, threshold, as_released=True)
        assert (tiles.rows, tiles.columns) == (case["rows"], case["cols"])
        for (x0, y0, x1, y1), expected in zip(tiles.boxes, case["tiles"], strict=True):
            assert [x1 - x0, y1 - y0] == expected["size"] == case["tile_size"]
            assert [x0, y0] == expected["origin"]
            inside = [min(x1, size[0]) - x0, min(y1, size[1]) - y0]
            assert [max(0, side) for side in inside] == expected["inside"]
        joined = tiles.join([counting_map(call) for call in range(len(tiles.boxes))])
        assert list(joined.shape) == case["joined_shape"]
        assert joined.tolist() == case["joined"]
        assert [24 * tiles.rows, 24 * tiles.columns] == case["grid24"]


@pytest.mark.goldens("vicrop_splits")
def test_other_thresholds_give_the_tiles_of_the_original():
    for case in each_golden("vicrop/splits", "other_thresholds"):
        size, threshold = tuple(case["image_size"]), case["threshold"]
        if "raises" in case:
            with pytest.raises(ValueError, match="the original cannot cut"):
                tiling(size, threshold, as_released=True)
            continue
        tiles = tiling(size, threshold, as_released=True)
        x0, y0, x1, y1 = tiles.boxes[0]
        assert (tiles.rows, tiles.columns) == (case["rows"], case["cols"])
        assert [x1 - x0, y1 - y0] == case["tile_size"]


@pytest.mark.goldens("vicrop_splits")
def test_ours_has_as_many_tiles_wherever_the_original_has_square_ones():
    threshold = golden_json("vicrop/splits")["threshold"]
    for case in each_golden("vicrop/splits", "cases"):
        size = tuple(case["image_size"])
        tiles = tiling(size, threshold)
        if "raises" in case:
            assert tiles.columns == 1
        elif min(case["tile_size"]) >= threshold / 2 or size[1] >= threshold / 2:
            assert (tiles.rows, tiles.columns) == (case["rows"], case["cols"])


@pytest.mark.parametrize(
    "size", [(1025, 2050), (600, 800), (1, 1), (3000, 10), (10, 3000), (4000, 3001), (999, 5000)]
)
def test_our_tiles_cover_every_pixel_once_and_differ_by_a_pixel(size):
    tiles = tiling(size, 1024)
    seen = np.zeros(size[::-1], int)
    for x0, y0, x1, y1 in tiles.boxes:
        seen[y0:y1, x0:x1] += 1
    assert (seen == 1).all()
    for sides in (
        {x1 - x0 for x0, _, x1, _ in tiles.boxes},
        {y1 - y0 for _, y0, _, y1 in tiles.boxes},
    ):
        assert max(sides) - min(sides) <= 1


def test_cut_tiles_put_together_are_the_image_and_the_original_adds_black():
    pixels = np.random.default_rng(2).integers(1, 256, (70, 101, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    for released in (False, True):
        tiles = tiling(image.size, 30, as_released=released)
        rows = [
            np.hstack([np.asarray(tile) for tile in tiles.cut(image)[i : i + tiles.columns]])
            for i in range(0, len(tiles.boxes), tiles.columns)
        ]
        whole = np.vstack(rows)
        assert (whole[:70, :101] == pixels).all()
        assert (whole.shape == pixels.shape) is not released
        assert not whole[70:].any() and not whole[:, 101:].any()


def test_maps_of_tiles_must_be_as_many_and_of_one_shape():
    tiles = tiling((2048, 1024), 1024)
    with pytest.raises(ValueError, match="2 tiles have as many maps of one shape"):
        tiles.join([np.zeros((2, 2))])
    with pytest.raises(ValueError, match="of one shape"):
        tiles.join([np.zeros((2, 2)), np.zeros((2, 3))])
    with pytest.raises(ValueError, match="0 x 5 pixels has no tiles"):
        tiling((0, 5))


def test_only_models_that_shrink_images_get_tiles_unasked():
    auto = ViCropConfig()
    assert wants_tiles(auto, (1025, 20), shrinks=True)
    assert not wants_tiles(auto, (1024, 1024), shrinks=True)
    assert not wants_tiles(auto, (9000, 9000), shrinks=False)
    assert wants_tiles(ViCropConfig(high_resolution="on"), (30, 30), shrinks=False)
    assert not wants_tiles(ViCropConfig(high_resolution="off"), (9000, 9000), shrinks=True)
