"""An answer model that sees one thing, whatever is red, and says so in the form it was made for.

What it is shown is all that it goes by: wrong crops, sizes or orders give wrong answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from fakes import generation
from PIL import Image, ImageDraw

from seal.geometry import Box
from seal.images import cut
from seal.inference.answers.protocol import Cost, Generation
from seal.working_memory import VisualWorkingMemory

GRAY, RED = (120, 120, 120), (255, 0, 0)


def scene(width: int, height: int, box: Box | None) -> Image.Image:
    """A gray picture with a red box at whole pixels."""
    image = Image.new("RGB", (width, height), GRAY)
    if box is not None:
        x0, y0, x1, y1 = box.as_ints()
        ImageDraw.Draw(image).rectangle((x0, y0, x1 - 1, y1 - 1), fill=RED)
    return image


def red_box(image: Image.Image) -> Box | None:
    """Where the red is, in pixels of the picture."""
    pixels = np.asarray(image.convert("RGB")).astype(int)
    red = (pixels[..., 0] > 180) & (pixels[..., 1] < 80)
    if not red.any():
        return None
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


class SeeingModel:
    """Sure of the red thing by the share of the picture that it fills.

    names_missing: it refuses, instead of saying No. printed: the form of its boxes, a Python
    template over x0 y0 x1 y1; `unit`: None for pixels of the picture, else the side of the frame.
    """

    def __init__(
        self,
        *,
        least: float = 0.05,
        names_missing: bool = False,
        printed: str = '[{{"bbox_2d": [{x0}, {y0}, {x1}, {y1}], "label": "mug"}}]',
        unit: float | None = 1000,
        says_where: str = "The mug is most likely to appear on the table.",
    ) -> None:
        self.least, self.names_missing = least, names_missing
        self.printed, self.unit, self.says_where = printed, unit, says_where
        self.cost = Cost()
        self.asked: list[str] = []  # questions, in order
        self.batches: list[int] = []
        self.shown: list[tuple[int, int]] = []  # sizes of the pictures that were looked at
        self.forgotten: list[Image.Image] = []

    def next_word(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        self._count([memory for memory, _ in requests])
        rows = []
        for memory, words in requests:
            sure = self._sure(memory)
            p = {"Yes": 0.9 * sure, "No": 0.9 * (1 - sure), "Sorry,": 1 - sure}
            rows.append([-math.log(p[word]) if p[word] > 0 else math.inf for word in words])
        return rows

    def generate(
        self, requests: Sequence[VisualWorkingMemory], *, max_new_tokens: int = 200
    ) -> list[Generation]:
        self._count(requests)
        return [generation(self._say(memory)) for memory in requests]

    def settings(self) -> dict[str, Any]:
        return {"kind": "seeing"}

    def forget(self, image: Image.Image) -> None:
        self.forgotten.append(image)

    def _looked_at(self, memory: VisualWorkingMemory) -> Image.Image:
        """The closer view if there is one."""
        assert memory.image is not None
        boxes = [box for target in memory.targets for box in target.boxes]
        return cut(memory.image, boxes[0].as_ints()) if boxes else memory.image

    def _sure(self, memory: VisualWorkingMemory) -> float:
        image = self._looked_at(memory)
        box = red_box(image)
        share = 0.0 if box is None else box.area / (image.width * image.height)
        if "closer at it" in memory.question:
            return 0.05 if box is None else 0.8
        return 0.95 if share >= self.least else 0.1

    def _say(self, memory: VisualWorkingMemory) -> str:
        if "most likely location" in memory.question:
            return self.says_where
        image = self._looked_at(memory)
        box = red_box(image)
        if box is None:
            return "[]"
        across = 1 if self.unit is None else self.unit / image.width
        down = 1 if self.unit is None else self.unit / image.height
        x0, x1 = (round(x * across, 6) for x in (box.x0, box.x1))
        y0, y1 = (round(y * down, 6) for y in (box.y0, box.y1))
        return self.printed.format(x0=x0, y0=y0, x1=x1, y1=y1)

    def _count(self, memories: Sequence[VisualWorkingMemory]) -> None:
        self.batches.append(len(memories))
        self.asked += [memory.question for memory in memories]
        self.shown += [self._looked_at(memory).size for memory in memories]
        self.cost.calls += len(memories)
        self.cost.images += sum(1 + memory.num_crops for memory in memories)
