"""A region of a picture as the square pixels of a tower, without a copy of the region.

A cut, a square around it and a resize make three pictures of four bytes a pixel: of 12000 x 9000
pixels 1.4 GB. Here a band of rows at a time is cut out and made as narrow as the square, and only
what came of that is made as low. Pillow resizes in the same two passes, across and then down, and
rounds to bytes between them, so the bytes are those of the long way.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from seal.geometry import Anchor, square_padding
from seal.images.detector_pixels import FILL
from seal.images.pixels import Color

IntBox = tuple[int, int, int, int]  # left, top, right, bottom in pixels
BAND_PIXELS = 1 << 20  # of a band: 4 MB, as fast as all rows at once


def squared_bytes(
    image: Image.Image, box: IntBox, size: int, background: Color, anchor: Anchor = "top_left"
) -> np.ndarray:
    """(3, size, size) uint8 of a region on a square of `background`.

    Those of `resized_bytes(pad_to_square(cut(image, box), anchor, background)[0], size)`.
    """
    square = (size, size)
    return region_bytes(image, box, square, Image.Resampling.BICUBIC, anchor, background)


def stretched_bytes(image: Image.Image, box: IntBox, size: int) -> np.ndarray:
    """(3, size, size) uint8 of a region stretched: `detector_bytes(cut(image, box), size)`."""
    return region_bytes(image, box, (size, size), Image.Resampling.BICUBIC)


def padded_bytes(image: Image.Image, box: IntBox, size: int) -> np.ndarray:
    """(3, size, size) uint8 of a region as OWLv2 is shown it.

    Those of `detector_bytes(cut(image, box), size, "pad")`.
    """
    return region_bytes(image, box, (size, size), Image.Resampling.BILINEAR, "top_left", FILL)


def region_bytes(
    image: Image.Image,
    box: IntBox,
    size: tuple[int, int],
    resampling: Image.Resampling,
    anchor: Anchor | None = None,
    fill: Color = FILL,
) -> np.ndarray:
    """(3, H, W) uint8 of a region of an RGB image, resized to `size`: width and height in pixels.

    `anchor`: where the region lies in a square of `fill`; None: it is resized as it is.
    """
    left, top, right, bottom = box
    wide, high, dx, dy = right - left, bottom - top, 0, 0
    if anchor is not None:
        wide, dx, dy = square_padding(wide, high, anchor)
        high = wide
    # What is more than 100 times as high as wide, some versions of Pillow make low first.
    step = high if high > 100 * wide else max(1, BAND_PIXELS // wide)
    if step >= high:
        framed = _framed(image.crop(box), (wide, high), (dx, dy), fill)
        return _planes(framed.resize(size, resampling))
    # Rows of one color stay what they are when they are made narrower.
    narrow = Image.new("RGB", (size[0], high), fill)
    for start in range(top, bottom, step):
        end = min(start + step, bottom)
        rows = image.crop((left, start, right, end))
        band = _framed(rows, (wide, end - start), (dx, 0), fill)
        narrow.paste(band.resize((size[0], end - start), resampling), (0, dy + start - top))
    return _planes(narrow.resize(size, resampling))


def _framed(
    region: Image.Image, size: tuple[int, int], corner: tuple[int, int], fill: Color
) -> Image.Image:
    """A region in a larger picture of `fill`; the same object if that is no larger."""
    if region.size == size:
        return region
    framed = Image.new("RGB", size, fill)
    framed.paste(region, corner)
    return framed


def _planes(image: Image.Image) -> np.ndarray:
    """(3, H, W) uint8 of an RGB image, in one piece."""
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
