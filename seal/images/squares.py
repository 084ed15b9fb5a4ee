"""A region of a picture as the square pixels of a tower, without a copy of the region.

A cut, a square around it and a resize make three pictures of four bytes a pixel: of 12000 x 9000
pixels 1.4 GB. Here a band of rows at a time is cut out and made as narrow as the square, and only
what came of that is made as low. Pillow resizes in the same two passes, across and then down, and
rounds to bytes between them, so the bytes are those of the long way.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from seal.images.detector_pixels import FILL
from seal.images.pixels import Color

IntBox = tuple[int, int, int, int]  # left, top, right, bottom in pixels
BAND_PIXELS = 1 << 20  # of a band: 4 MB, as fast as all rows at once


def squared_bytes(image: Image.Image, box: IntBox, size: int, background: Color) -> np.ndarray:
    """(3, size, size) uint8 of a region in the top left corner of a square of `background`.

    Those of `resized_bytes(pad_to_square(cut(image, box), "top_left", background)[0], size)`.
    """
    side = max(_size(box))
    return _resampled(image, box, size, (side, side), background, Image.Resampling.BICUBIC)


def stretched_bytes(image: Image.Image, box: IntBox, size: int) -> np.ndarray:
    """(3, size, size) uint8 of a region stretched: `detector_bytes(cut(image, box), size)`."""
    return _resampled(image, box, size, _size(box), FILL, Image.Resampling.BICUBIC)


def padded_bytes(image: Image.Image, box: IntBox, size: int) -> np.ndarray:
    """(3, size, size) uint8 of a region as OWLv2 is shown it.

    Those of `detector_bytes(cut(image, box), size, "pad")`.
    """
    side = max(_size(box))
    return _resampled(image, box, size, (side, side), FILL, Image.Resampling.BILINEAR)


def _size(box: IntBox) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]


def _resampled(
    image: Image.Image,
    box: IntBox,
    size: int,
    frame: tuple[int, int],
    fill: Color,
    resampling: Image.Resampling,
) -> np.ndarray:
    """(3, size, size) uint8 of a frame of `fill`, (width, height) in pixels, with the region of an
    RGB image in its top left corner."""
    left, top, right, bottom = box
    wide, high = frame
    # What is more than 100 times as high as wide, some versions of Pillow make low first.
    step = high if high > 100 * wide else max(1, BAND_PIXELS // wide)
    if step >= high:
        return _planes(_framed(image.crop(box), frame, fill).resize((size, size), resampling))
    # Rows of `fill` alone stay what they are when they are made narrower.
    narrow = Image.new("RGB", (size, high), fill)
    for start in range(top, bottom, step):
        end = min(start + step, bottom)
        band = _framed(image.crop((left, start, right, end)), (wide, end - start), fill)
        narrow.paste(band.resize((size, band.height), resampling), (0, start - top))
    return _planes(narrow.resize((size, size), resampling))


def _framed(image: Image.Image, frame: tuple[int, int], fill: Color) -> Image.Image:
    """An image in the top left corner of a larger one; the same object if that is no larger."""
    if image.size == frame:
        return image
    framed = Image.new("RGB", frame, fill)
    framed.paste(image)
    return framed


def _planes(image: Image.Image) -> np.ndarray:
    """(3, H, W) uint8 of an RGB image, in one piece."""
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
