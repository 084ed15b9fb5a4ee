"""Images to pixels as the original prepared them: squaring, cropping, normalizing.

Must agree bit for bit with the golden hashes of `preprocess` and the crop arithmetic of `splits`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import Image

from seal.geometry import Anchor, Box, square_padding

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_CROPPED = 1 << 24  # pixels that Pillow crops without a word about bombs
Color = tuple[int, int, int]  # red, green, blue as bytes


@dataclass(frozen=True, slots=True)
class Normalization:
    """What was taken from the colors of a network's training pictures, of [0, 1]: a mean, a std."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def background(self) -> Color:
        """The mean color in whole numbers: what padding is filled with."""
        red, green, blue = (int(255 * value) for value in self.mean)
        return red, green, blue


CLIP_COLORS = Normalization(CLIP_MEAN, CLIP_STD)
IMAGENET_COLORS = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
BACKGROUND = CLIP_COLORS.background


@lru_cache(maxsize=16)
def _values(normalization: Normalization) -> np.ndarray:
    """(3, 256) float32: what each byte of each channel becomes.

    Scaled in float64, then rounded, then normalized in float32: the order fixes the last bit.
    """
    scaled = (np.arange(256, dtype=np.float64) * (1 / 255)).astype(np.float32)
    mean = np.array(normalization.mean, np.float32)[:, None]
    std = np.array(normalization.std, np.float32)[:, None]
    return (scaled - mean) / std


def byte_values(normalization: Normalization = CLIP_COLORS) -> np.ndarray:
    """(3, 256) float32: what `normalize_bytes` makes of each byte of each channel."""
    return _values(normalization).copy()


def pad_to_square(
    image: Image.Image, anchor: Anchor = "center", color: Color = BACKGROUND
) -> tuple[Image.Image, tuple[int, int]]:
    """The image on a square of `color`, and where its corner landed (dx, dy)."""
    side, dx, dy = square_padding(image.width, image.height, anchor)
    if image.width == image.height:
        return image, (0, 0)
    square = Image.new("RGB", (side, side), color)
    square.paste(image, (dx, dy))
    return square, (dx, dy)


def context_box(
    box: Box, width: int, height: int, scale: float | None = 1.2, least: int = 224
) -> tuple[int, int, int, int]:
    """Whole-pixel (left, top, right, bottom) around a box of a width x height image.

    `scale` times the box; with `scale=None` at least `least` pixels a side instead. A window over
    the left or top border is moved in, one over the right or bottom is cut: the released weights
    were trained on such crops. Far outside the image right may be less than left.
    """
    box_width, box_height = math.ceil(box.width), math.ceil(box.height)
    if scale is None:
        window_width, window_height = max(box_width, least), max(box_height, least)
    else:
        window_width, window_height = int(box_width * scale), int(box_height * scale)
    left = max(0, int(box.x0 + box.width / 2) - window_width // 2)
    top = max(0, int(box.y0 + box.height / 2) - window_height // 2)
    return left, top, min(left + window_width, width), min(top + window_height, height)


def context_crop(image: Image.Image, box: Box, scale: float = 1.2) -> Image.Image:
    """What surrounds a box, as the VQA LLM is shown it (before resizing).

    Raises:
        ValueError: nothing of the image would be left in the crop.
    """
    left, top, right, bottom = context_box(box, image.width, image.height, scale)
    if right <= left or bottom <= top:
        raise ValueError(
            f"box [{box.x0:g}, {box.y0:g}, {box.x1:g}, {box.y1:g}] leaves an empty crop of the "
            f"{image.width} x {image.height} image; a target needs a box inside its image"
        )
    return cut(image, (left, top, right, bottom))


def cut(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """`image.crop`, also of more than Pillow lets be cropped."""
    if box == (0, 0, *image.size):
        return image.copy()
    size = box[2] - box[0], box[3] - box[1]
    if image.mode != "RGB" or size[0] * size[1] <= _CROPPED:
        return image.crop(box)
    part = Image.new("RGB", size)
    part.paste(image, (-box[0], -box[1]))
    return part


def black(image: Image.Image) -> Image.Image:
    """A black picture of the image's size: what a control shows in place of a crop."""
    return Image.new("RGB", image.size)


def tower_pixels(
    image: Image.Image,
    size: int,
    normalization: Normalization,
    fit: Literal["stretch", "center_crop"] = "stretch",
) -> np.ndarray:
    """(3, size, size) float32, normalized; `image` is squared by the caller or stretched.

    `center_crop` fits the short side and cuts the rest off: what the original's no-search branch
    does to an image that was not padded.
    """
    return normalize_bytes(resized_bytes(image, size, fit), normalization)


def clip_pixels(
    image: Image.Image, size: int, fit: Literal["stretch", "center_crop"] = "stretch"
) -> np.ndarray:
    """`tower_pixels` of CLIP."""
    return tower_pixels(image, size, CLIP_COLORS, fit)


def resized_bytes(
    image: Image.Image, size: int, fit: Literal["stretch", "center_crop"] = "stretch"
) -> np.ndarray:
    """(3, size, size) uint8: what `tower_pixels` looks up."""
    if fit == "stretch":
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    else:
        short = min(image.size)
        width, height = (int(size * side / short) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        left, top = (width - size) // 2, (height - size) // 2
        image = image.crop((left, top, left + size, top + size))
    return np.asarray(image, dtype=np.uint8).transpose(2, 0, 1)


def normalize_bytes(u8: np.ndarray, normalization: Normalization = CLIP_COLORS) -> np.ndarray:
    """(3, H, W) uint8 RGB -> the same shape in float32, normalized."""
    pixels = np.empty(u8.shape, np.float32)
    for values, channel, out in zip(_values(normalization), u8, pixels, strict=True):
        np.take(values, channel, out=out)
    return pixels
