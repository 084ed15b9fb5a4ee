"""Take an object out of a picture: what is to be painted over, and what paints over it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seal.data.masks import rle_to_mask, segmentation_to_rle
from seal.geometry import Box
from seal.images import BACKGROUND

INPAINTERS = ("opencv", "fill")


class Inpainter(Protocol):
    """Paints over a part of a picture as if nothing had stood there."""

    def erase(self, image: Image.Image, mask: NDArray[np.uint8]) -> Image.Image:
        """`mask`: (H, W), 1 where the picture is not to be seen any more."""
        ...


class OpenCVInpainter:
    """Telea's method: colors grow into the hole from its border, `radius` pixels of it."""

    def __init__(self, radius: float = 3.0) -> None:
        self.radius = radius

    def erase(self, image: Image.Image, mask: NDArray[np.uint8]) -> Image.Image:
        import cv2

        if mask.all():  # there is no border to grow from
            return FillInpainter().erase(image, mask)
        pixels = np.ascontiguousarray(np.asarray(image.convert("RGB")))
        return Image.fromarray(cv2.inpaint(pixels, mask, self.radius, cv2.INPAINT_TELEA))


class FillInpainter:
    """One color: the mean of what is left of the picture."""

    def erase(self, image: Image.Image, mask: NDArray[np.uint8]) -> Image.Image:
        pixels = np.array(image.convert("RGB"))
        hole = mask.astype(bool)
        left = pixels[~hole]
        pixels[hole] = left.mean(0).round() if len(left) else BACKGROUND
        return Image.fromarray(pixels)


def build_inpainter(name: str, radius: float) -> Inpainter:
    """`name`: one of INPAINTERS."""
    return OpenCVInpainter(radius) if name == "opencv" else FillInpainter()


def boxes_mask(boxes: Sequence[Box], width: int, height: int, margin: float) -> NDArray[np.uint8]:
    """(H, W), 1 in the boxes, each widened on every side by `margin` of its side in pixels."""
    mask = np.zeros((height, width), np.uint8)
    for box in boxes:
        dx, dy = margin * box.width, margin * box.height
        x0, y0 = max(0, int(np.floor(box.x0 - dx))), max(0, int(np.floor(box.y0 - dy)))
        x1, y1 = int(np.ceil(box.x1 + dx)), int(np.ceil(box.y1 + dy))
        mask[y0:y1, x0:x1] = 1
    return mask


def polygons_mask(
    polygons: Sequence[Sequence[float]], width: int, height: int, margin: float
) -> NDArray[np.uint8]:
    """(H, W), 1 in polygons `[x, y, x, y, ...]`, widened by `margin` of their longer extent.

    Raises:
        ValueError: a polygon has less than three corners.
    """
    import cv2

    mask = rle_to_mask(segmentation_to_rle(list(polygons), height, width))
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return mask
    grow = int(np.ceil(margin * max(np.ptp(rows) + 1, np.ptp(columns) + 1)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1))
    widened: NDArray[np.uint8] = np.asarray(cv2.dilate(mask, disc), dtype=np.uint8)
    return widened
