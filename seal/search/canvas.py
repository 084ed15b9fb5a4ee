"""What pictures of a search are drawn with: colors, text, boxes and heat over a photograph."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from seal.geometry import Box
from seal.images import region_bytes, to_rgb
from seal.images.lettering import shorten as shorten
from seal.images.lettering import text_width
from seal.images.lettering import wrap as wrap
from seal.images.lettering import write as write

Color = tuple[int, int, int]

PAPER: Color = (250, 250, 248)
INK: Color = (32, 33, 36)
FAINT: Color = (110, 112, 118)
FOUND: Color = (22, 163, 74)
DOUBT: Color = (217, 119, 6)
# Stops of the ramp from the first visit to the last, and from no heat to the most.
ORDER = np.array([[56, 96, 220], [140, 70, 210], [220, 60, 130], [240, 120, 30]], float)
HEAT = np.array(
    [[30, 20, 90], [150, 30, 120], [235, 80, 50], [255, 180, 40], [255, 250, 190]], float
)


def ramp(stops: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(stops, 3) colors and values (...,) in [0, 1] -> (..., 3) colors in between."""
    positions = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(values, positions, stops[:, c]) for c in range(3)], -1)


def order_color(index: int, count: int) -> Color:
    """The color of visit `index` of `count`."""
    red, green, blue = ramp(ORDER, np.array(index / max(count - 1, 1))).round().astype(int)
    return int(red), int(green), int(blue)


def overlay_heat(image: Image.Image, grid: np.ndarray, strength: float = 0.6) -> Image.Image:
    """The image with a coarse map (rows, columns) in [0, 1] laid over it, smoothly."""
    smooth = Image.fromarray(grid.astype(np.float32)).resize(image.size, Image.Resampling.BICUBIC)
    heat = np.asarray(smooth).clip(0, 1)
    # Cold places stay as photographed; only what is warm is tinted.
    alpha = Image.fromarray((np.sqrt(heat) * strength * 255).astype(np.uint8))
    tint = Image.fromarray(ramp(HEAT, heat).astype(np.uint8))
    return Image.composite(tint, image, alpha)


def fit(image: Image.Image, width: int, height: int, box: Box | None = None) -> Image.Image:
    """The image, or a region of it, as RGB and as large as fits into width x height."""
    region = (0, 0, *image.size) if box is None else box.as_ints()
    wide, high = region[2] - region[0], region[3] - region[1]
    scale = min(width / wide, height / high)
    size = max(1, round(wide * scale)), max(1, round(high * scale))
    made = region_bytes(to_rgb(image), region, size, Image.Resampling.LANCZOS)
    return Image.fromarray(np.ascontiguousarray(made.transpose(1, 2, 0)))


def outline(draw: ImageDraw.ImageDraw, box: Box, color: Color, width: int) -> None:
    """A rectangle with a light rim, so that it shows on any photograph."""
    x0, y0, x1, y1 = box.as_ints()
    x1, y1 = max(x0, x1 - 1), max(y0, y1 - 1)
    draw.rectangle((x0, y0, x1, y1), outline=PAPER, width=width + 2)
    if x1 - x0 > 2 and y1 - y0 > 2:
        draw.rectangle((x0 + 1, y0 + 1, x1 - 1, y1 - 1), outline=color, width=width)


def badge(
    draw: ImageDraw.ImageDraw, x: float, y: float, text: str, color: Color, size: int
) -> None:
    """White text on a rounded patch of color; (x, y) is its top left corner."""
    width = max(size * 1.5, text_width(text, size) + size * 0.7)
    draw.rounded_rectangle((x, y, x + width, y + size * 1.5), size * 0.4, fill=color)
    write(draw, (x + width / 2, y + size * 0.75), text, PAPER, size, anchor="mm")


def label_box(
    draw: ImageDraw.ImageDraw, box: Box, text: str, color: Color, size: int, frame: Box
) -> None:
    """Outline a box and name it above, or below where the frame leaves no room."""
    outline(draw, box, color, 3)
    width, height = text_width(text, size) + size * 0.7, size * 1.5
    x = min(max(box.x0, frame.x0), max(frame.x1 - width, frame.x0))
    above = box.y0 - height - 2
    y = above if above >= frame.y0 else min(box.y1 + 2, frame.y1 - height)
    badge(draw, x, y, text, color, size)
