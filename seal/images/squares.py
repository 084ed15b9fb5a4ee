"""A region of a picture as the square pixels of a tower, without a copy of the region.

A cut, a square around it and a resize make three pictures of four bytes a pixel: of 12000 x 9000
pixels 1.4 GB. Here a band of rows at a time is cut out and made as narrow as the square, and only
what came of that is made as low. Pillow resizes in the same two passes, across and then down, and
rounds to bytes between them, so the bytes are those of the long way.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    side, *corner = square_padding(*_size(box), anchor)
    frame = _Frame((side, side), (corner[0], corner[1]), background)
    return _resampled(image, box, size, frame, Image.Resampling.BICUBIC)


def stretched_bytes(image: Image.Image, box: IntBox, size: int) -> np.ndarray:
    """(3, size, size) uint8 of a region stretched: `detector_bytes(cut(image, box), size)`."""
    return _resampled(image, box, size, _Frame(_size(box)), Image.Resampling.BICUBIC)


def padded_bytes(image: Image.Image, box: IntBox, size: int) -> np.ndarray:
    """(3, size, size) uint8 of a region as OWLv2 is shown it.

    Those of `detector_bytes(cut(image, box), size, "pad")`.
    """
    side = max(_size(box))
    return _resampled(image, box, size, _Frame((side, side)), Image.Resampling.BILINEAR)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a region lies in what is resized."""

    size: tuple[int, int]  # pixels, width and height
    corner: tuple[int, int] = (0, 0)  # the region's upper left one
    fill: Color = FILL  # around it

    def around(self, region: Image.Image, left: int, top: int, height: int) -> Image.Image:
        """A region, or rows of one, at (left, top) in `height` rows of the frame; the same object
        if that is all there is."""
        size = self.size[0], height
        if region.size == size:
            return region
        framed = Image.new("RGB", size, self.fill)
        framed.paste(region, (left, top))
        return framed


def _size(box: IntBox) -> tuple[int, int]:
    return box[2] - box[0], box[3] - box[1]


def _resampled(
    image: Image.Image, box: IntBox, size: int, frame: _Frame, resampling: Image.Resampling
) -> np.ndarray:
    """(3, size, size) uint8 of a frame with the region of an RGB image in it."""
    left, top, right, bottom = box
    (wide, high), (dx, dy) = frame.size, frame.corner
    # What is more than 100 times as high as wide, some versions of Pillow make low first.
    step = high if high > 100 * wide else max(1, BAND_PIXELS // wide)
    if step >= high:
        region = frame.around(image.crop(box), dx, dy, high)
        return _planes(region.resize((size, size), resampling))
    # Rows of one color stay what they are when they are made narrower.
    narrow = Image.new("RGB", (size, high), frame.fill)
    for start in range(top, bottom, step):
        end = min(start + step, bottom)
        band = frame.around(image.crop((left, start, right, end)), dx, 0, end - start)
        narrow.paste(band.resize((size, end - start), resampling), (0, dy + start - top))
    return _planes(narrow.resize((size, size), resampling))


def _planes(image: Image.Image) -> np.ndarray:
    """(3, H, W) uint8 of an RGB image, in one piece."""
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
