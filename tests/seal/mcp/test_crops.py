"""Crops have a bounded size, and their words lead back to the image."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from seal.geometry import Box
from seal.mcp.crops import MOST_SIDE, around, crop

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "box", [Box(0, 0, 2000, 1500), Box(10, 10, 20, 14), Box(5.5, 7.2, 900.1, 700), Box(3, 3, 4, 4)]
)
def test_a_crop_is_shown_at_a_readable_and_bounded_size(box):
    made = crop(IMAGE, box)
    assert 448 <= max(made.shown.size) <= MOST_SIDE
    assert made.shown.width == pytest.approx(made.box.width * made.scale, abs=1)
    assert made.box.x0 <= box.x0 and made.box.x1 >= box.x1  # whole pixels around it


def test_a_box_over_the_border_is_cut_and_one_beyond_it_refused():
    assert crop(IMAGE, Box(-50, -50, 100, 80)).box == Box(0, 0, 100, 80)
    with pytest.raises(ValueError, match="2000 x 1500 pixels"):
        crop(IMAGE, Box(2000, 0, 2100, 50))


@pytest.mark.parametrize("box", [Box(0, 0, 3, 3), Box(1995, 1490, 2000, 1500), Box(700, 2, 720, 9)])
def test_a_found_box_is_shown_with_what_surrounds_it(box):
    window = around(IMAGE, box).box
    assert window.area > box.area
    assert window.x0 <= box.x0 and window.x1 >= min(box.x1, IMAGE.width)


def test_small_crops_lose_nothing_and_large_ones_little():
    for box, kind in ((Box(0, 0, 40, 40), "image/png"), (Box(0, 0, 2000, 1500), "image/jpeg")):
        made = crop(IMAGE, box)
        data, told = made.content()
        assert told == kind
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == made.shown.size
