"""A large picture turned in less memory is the picture that Pillow turns."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageChops

from seal.images import open_image, turned, upright


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("size", [(37, 23), (1, 9), (64, 64)])
def test_a_large_picture_is_turned_to_the_same_pixels(tag, size, tmp_path, monkeypatch):
    pixels = np.random.default_rng(tag).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = tag
    for name in ("a.jpg", "a.png"):
        Image.fromarray(pixels).save(tmp_path / name, exif=exif)
        plain = open_image(tmp_path / name)
        with monkeypatch.context() as patch:
            patch.setattr(turned, "_LARGE", 1)
            patch.setattr(turned, "_BAND_PIXELS", 100)
            large = open_image(tmp_path / name)
        assert ImageChops.difference(large, plain).getbbox() is None and large.size == plain.size
        assert large.mode == "RGB" and type(large) is Image.Image
        assert large.info.keys() == plain.info.keys()
        assert upright(large) is large


def test_an_image_that_is_still_needed_stays_open(monkeypatch):
    monkeypatch.setattr(turned, "_LARGE", 1)
    image = Image.new("RGB", (4, 2), (1, 2, 3))
    image.getexif()[0x0112] = 6
    assert upright(image).size == (2, 4)
    assert image.getpixel((0, 0)) == (1, 2, 3)
    assert upright(image, close=True).size == (2, 4)
    with pytest.raises(ValueError, match="closed"):
        image.getpixel((0, 0))
