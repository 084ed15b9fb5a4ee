"""AI2D's diagrams as half of its questions need them: letters in place of their words."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

from PIL import ImageDraw, ImageFont

from seal.evaluation.tasks.named_entries import read_named
from seal.images import open_image

_SIZES = range(100, 5, -1)  # of letters, from large to small


def lettered(picture: Path, boxes: Path) -> bytes:
    """The diagram as PNG, each of its texts hidden by a white box with its letter.

    boxes: the annotation of the diagram, {"text": {NAME: {"rectangle": [[x0, y0], [x1, y1]],
    "replacementText": "A"}}}, edges in pixels.

    Raises:
        ValueError: the annotation is another, or either file cannot be read; names it.
    """
    if not boxes.is_file():
        raise ValueError(f"{boxes} does not exist: it says where the letters stand")
    image = open_image(picture)
    draw = ImageDraw.Draw(image)
    told = read_named(boxes).get("text")
    if not isinstance(told, dict):
        raise ValueError(f"{boxes}: text must be an object, of boxes by their names")
    for name, content in told.items():
        edges, letter = _edges_and_letter(boxes, name, content)
        draw.rectangle(edges, fill="white")
        _write(draw, edges, letter)
    made = io.BytesIO()
    image.save(made, "PNG")
    return made.getvalue()


def _edges_and_letter(
    file: Path, name: str, content: Any
) -> tuple[tuple[float, float, float, float], str]:
    try:
        (x0, y0), (x1, y1) = content["rectangle"]
        edges, letter = (float(x0), float(y0), float(x1), float(y1)), content["replacementText"]
        if not isinstance(letter, str) or not (edges[0] <= edges[2] and edges[1] <= edges[3]):
            raise ValueError
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file}: {name} has no rectangle [[x0, y0], [x1, y1]] with its replacementText"
        ) from error
    return edges, letter


def _write(
    draw: ImageDraw.ImageDraw, edges: tuple[float, float, float, float], letter: str
) -> None:
    """In the middle of the box, as large as fits."""
    x0, y0, x1, y1 = edges
    middle = (round((x0 + x1) / 2), round((y0 + y1) / 2))
    for size in _SIZES:
        font = _font(size)
        left, top, right, bottom = draw.textbbox(middle, letter, font=font, anchor="mm")
        if x0 < left and right < x1 and y0 < top and bottom < y1:
            break
    draw.text(middle, letter, fill="black", font=font, anchor="mm")


@cache  # a size is tried for every letter, and takes longer to load than to write with
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
