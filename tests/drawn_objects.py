"""Drawn pictures of colored squares, and an answer model that looks at their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from seal.building.erasure.image_answers import ImageQuestion

COLORS = {"red": (220, 20, 20), "green": (20, 180, 20), "blue": (20, 20, 220)}
GRAY = (128, 128, 128)
Square = tuple[str, tuple[int, int, int, int]]  # color and xyxy


def draw_squares(path: Path, squares: Sequence[Square], width: int = 60, height: int = 40) -> None:
    image = Image.new("RGB", (width, height), GRAY)
    for color, (x0, y0, x1, y1) in squares:
        ImageDraw.Draw(image).rectangle((x0, y0, x1 - 1, y1 - 1), fill=COLORS[color])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


class ColorSeer:
    """Names the color that most pixels have, gray aside; says when it sees none."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def answer(self, questions: Sequence[ImageQuestion]) -> list[str]:
        self.asked += [question.question for question in questions]
        return [self._look(question.image) for question in questions]

    def _look(self, image: Image.Image) -> str:
        pixels = np.asarray(image, dtype=int).reshape(-1, 3)
        seen = {
            name: int((np.abs(pixels - color).max(-1) < 40).sum()) for name, color in COLORS.items()
        }
        best = max(seen, key=lambda name: seen[name])
        return f"The color of it is {best}." if seen[best] else "I see no color."
