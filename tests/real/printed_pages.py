"""Pages that a test prints words on: fonts, sizes, slopes, and where each word stands."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from seal.geometry import Box

PAPER, INK = (245, 240, 230), (20, 20, 60)


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    x: int
    y: int
    pixels: int  # of the font
    font: str = "DejaVu Sans"  # one of matplotlib's own
    slope: float = 0.0  # degrees, counterclockwise


def print_page(size: tuple[int, int], words: list[Word]) -> tuple[Image.Image, dict[str, Box]]:
    """The page, and the box of each word's ink."""
    page = Image.new("RGB", size, PAPER)
    boxes = {}
    for word in words:
        file = font_manager.findfont(word.font, fallback_to_default=False)
        font = ImageFont.truetype(file, word.pixels)
        _, _, right, bottom = font.getbbox(word.text)
        ink = Image.new("L", (int(right) + 8, int(bottom) + 8))
        ImageDraw.Draw(ink).text((4, 4), word.text, font=font, fill=255)
        ink = ink.rotate(word.slope, expand=True, resample=Image.Resampling.BICUBIC)
        page.paste(INK, (word.x, word.y), ink)
        found = ink.getbbox()
        assert found is not None
        boxes[word.text] = Box(*found).shift(word.x, word.y)
    return page, boxes
