"""What is drawn of a region is the region, as it would be cut out and resized."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageChops

from seal.geometry import Box
from seal.images import squares
from seal.search import canvas


@pytest.mark.parametrize("box", [None, Box(10, 5, 90, 33), Box(0, 0, 3, 70)])
def test_a_region_is_drawn_as_if_cut_out(box, monkeypatch):
    monkeypatch.setattr(squares, "BAND_PIXELS", 200)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8))
    drawn = canvas.fit(image, 40, 30, box)
    assert drawn.width == 40 or drawn.height == 30
    region = image if box is None else image.crop(box.as_ints())
    expected = region.resize(drawn.size, Image.Resampling.LANCZOS)
    assert ImageChops.difference(drawn, expected).getbbox() is None
