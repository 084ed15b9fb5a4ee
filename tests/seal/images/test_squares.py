"""Squares made of bands of rows have the bytes of squares made of a copy of the region."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seal.images import (
    BACKGROUND,
    cut,
    detector_bytes,
    pad_to_square,
    padded_bytes,
    region_bytes,
    resized_bytes,
    squared_bytes,
    squares,
    stretched_bytes,
)

COLORS = [BACKGROUND, (0, 0, 0), (255, 255, 255), (3, 250, 128)]


def noise(rng, width, height):
    """Extremes, which overshoot, among all the other bytes."""
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(
        np.where(rng.random((height, width, 1)) < 0.3, pixels // 128 * 255, pixels)
    )


def check_equal(image, box, size, color):
    region = cut(image, box)
    other = (max(1, size // 3), size)
    np.testing.assert_array_equal(
        region_bytes(image, box, other, Image.Resampling.BILINEAR),
        np.asarray(region.resize(other, Image.Resampling.BILINEAR)).transpose(2, 0, 1),
    )
    square, _ = pad_to_square(region, "center", color)
    np.testing.assert_array_equal(
        squared_bytes(image, box, size, color, "center"), resized_bytes(square, size)
    )
    square, _ = pad_to_square(region, "top_left", color)
    np.testing.assert_array_equal(
        squared_bytes(image, box, size, color), resized_bytes(square, size)
    )
    np.testing.assert_array_equal(stretched_bytes(image, box, size), detector_bytes(region, size))
    np.testing.assert_array_equal(
        padded_bytes(image, box, size), detector_bytes(region, size, "pad")
    )


@pytest.mark.parametrize("band", [1, 1000, 20_000])
def test_any_region_of_any_image_has_the_bytes_of_the_long_way(band, monkeypatch):
    monkeypatch.setattr(squares, "BAND_PIXELS", band)
    rng = np.random.default_rng(band)
    for number in range(40):
        width, height = (int(2 ** rng.uniform(0, 8.5)) for _ in range(2))
        image = noise(rng, width, height)
        x0, x1 = sorted(int(x) for x in rng.choice(width + 1, 2, replace=False))
        y0, y1 = sorted(int(y) for y in rng.choice(height + 1, 2, replace=False))
        box = (0, 0, width, height) if number % 4 == 0 else (x0, y0, x1, y1)
        sizes = (1, 14, 56, box[2] - box[0], box[3] - box[1], max(box[2] - box[0], box[3] - box[1]))
        check_equal(image, box, int(rng.choice(sizes)), COLORS[number % 4])


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 700), (700, 1), (3, 900), (3, 300), (900, 2), (56, 56), (56, 9)]
)
@pytest.mark.parametrize("band", [64, 1 << 20])
def test_thin_and_tiny_images_do_too(size, band, monkeypatch):
    monkeypatch.setattr(squares, "BAND_PIXELS", band)
    image = noise(np.random.default_rng(7), *size)
    for side in (1, 28, 56):
        check_equal(image, (0, 0, *size), side, BACKGROUND)


def test_a_box_over_the_border_is_filled_up_as_a_crop_is():
    check_equal(noise(np.random.default_rng(8), 90, 70), (-5, 30, 120, 82), 28, BACKGROUND)


def test_a_large_picture_is_not_copied(monkeypatch):
    image = Image.new("RGB", (3000, 2000), (9, 90, 200))
    largest = 0
    new = Image.new

    def counted(mode, size, *rest):
        nonlocal largest
        largest = max(largest, size[0] * size[1])
        return new(mode, size, *rest)

    cropped = Image.Image.crop

    def cropped_counted(image, box):
        nonlocal largest
        largest = max(largest, (box[2] - box[0]) * (box[3] - box[1]))
        return cropped(image, box)

    monkeypatch.setattr(Image, "new", counted)
    monkeypatch.setattr(Image.Image, "crop", cropped_counted)
    for made in (
        squared_bytes(image, (0, 0, 3000, 2000), 56, BACKGROUND),
        stretched_bytes(image, (0, 0, 3000, 2000), 56),
    ):
        assert made.shape == (3, 56, 56) and made.flags.c_contiguous
    assert 0 < largest <= squares.BAND_PIXELS
