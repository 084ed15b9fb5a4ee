"""Crops of an image as agents are given them: bounded in size, and at a scale that is told."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import Any

from PIL import Image

from seal.geometry import Box, normalize_box
from seal.images import context_box

MOST_SIDE = 1024  # pixels of a shown crop
_LEAST_SIDE = 448  # to which the longer side of a smaller crop is enlarged
_MOST_PNG = 600_000  # bytes; what is larger without loss is shown as JPEG
_CONTEXT = 2.0  # times a found box, as its crop


@dataclass(frozen=True, slots=True)
class Crop:
    """A region of an image, resized to be shown."""

    box: Box  # whole pixels of the image
    shown: Image.Image
    scale: float  # shown pixels a pixel of the image

    @property
    def told(self) -> str:
        """Where it is, and how to come back from it to the image."""
        return (
            f"crop {self.box} of the image, shown at {self.scale:.3g} times its size "
            f"({self.shown.width} x {self.shown.height}): x = {self.box.x0:.0f} + u / "
            f"{self.scale:.6g}, y = {self.box.y0:.0f} + v / {self.scale:.6g}"
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "box_xyxy": edges(self.box),
            "shown_size": list(self.shown.size),
            "scale": self.scale,
        }

    def content(self) -> tuple[str, str]:
        """Base64 and MIME type: without loss where that is small enough."""
        stream = io.BytesIO()
        self.shown.save(stream, "PNG")
        kind = "image/png"
        if stream.tell() > _MOST_PNG:
            stream, kind = io.BytesIO(), "image/jpeg"
            self.shown.save(stream, "JPEG", quality=92, subsampling=0)
        return base64.b64encode(stream.getvalue()).decode("ascii"), kind


def crop(image: Image.Image, box: Box, *, most_side: int = MOST_SIDE) -> Crop:
    """The region, cut at the image's border, its longer side between 448 and `most_side` pixels.

    Raises:
        ValueError: no pixel of the image is in the box.
    """
    left, top = max(0, math.floor(box.x0)), max(0, math.floor(box.y0))
    right, bottom = min(image.width, math.ceil(box.x1)), min(image.height, math.ceil(box.y1))
    if right <= left or bottom <= top:
        raise ValueError(
            f"no pixel of the image is in the box {box}: the image has {image.width} x "
            f"{image.height} pixels, and a box is [x0, y0, x1, y1] in pixels, x0 < x1 and y0 < y1"
        )
    longest = max(right - left, bottom - top)
    scale = min(max(longest, min(_LEAST_SIDE, most_side)), most_side) / longest
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    cut = image.crop((left, top, right, bottom))
    shown = cut if size == cut.size else cut.resize(size, Image.Resampling.LANCZOS)
    return Crop(Box(left, top, right, bottom), shown, scale)


def around(image: Image.Image, box: Box) -> Crop:
    """A found box with some of what surrounds it."""
    window = context_box(box, image.width, image.height, max(_CONTEXT, 24 / max(box.width, 1)))
    left, top, right, bottom = window
    if right <= left or bottom <= top:  # of a box at the very border
        return crop(image, box)
    return crop(image, Box(left, top, right, bottom))


def edges(box: Box) -> list[float]:
    """[x0, y0, x1, y1] in pixels, to a tenth."""
    return [round(edge, 1) for edge in (box.x0, box.y0, box.x1, box.y1)]


def fractions(box: Box, image: Image.Image) -> list[float]:
    """The same as shares of width and height, in [0, 1]."""
    return [round(edge, 4) for edge in normalize_box(box, image.width, image.height)]
