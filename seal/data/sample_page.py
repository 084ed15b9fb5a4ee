"""Samples on a page, as training sees them: text with labels marked, pictures, boxes and masks."""

from __future__ import annotations

import html
from collections.abc import Iterable

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Row, Sample, Target
from seal.pages.colors import color, ink
from seal.pages.page import Page, picture
from seal.text.tokenize import Tokenizer

_WIDTH = 336  # pixels of a picture at most


def add_samples(page: Page, samples: Iterable[Sample], tokenizer: Tokenizer) -> None:
    """Add every row as text, what is learnt marked, with the levels of its pictures where they
    have one, and the sample's pictures.

    An expression's color is that of its boxes and its mask on the detector's picture.
    """
    page.markup(
        '<p class="note"><mark>Marked</mark> text is learnt; <code>visual tokens</code> stand '
        "where the model sees a picture.</p>"
    )
    for sample in samples:
        page.subheading(sample.id)
        pictures = [_image(pixels) for pixels in sample.images]
        if sample.detector_image is not None:
            pictures.append(_detector_image(sample))
        tags = [
            picture(image, width=_WIDTH, exact=True, alt=f"picture {number} of {sample.id}")
            for number, image in enumerate(pictures, start=1)
        ]
        page.markup(f'<div class="pictures">{" ".join(tags)}</div>')
        expressions = iter(enumerate(sample.targets))
        for row in sample.rows:
            if any(visual.level for visual in row.visuals):
                page.markup(f"<p>{_levels(row)}</p>")
            text = _marked_text(row.input_ids.tolist(), row.labels.tolist(), tokenizer)
            page.markup(f"<pre>{text}</pre>")
            if row.loc_position is not None and (found := next(expressions, None)) is not None:
                page.markup(_supervision(*found))


def _levels(row: Row) -> str:
    """At which level each picture of a row is shown."""
    return "; ".join(
        f"picture {number}: {visual.num_tiles} {'tile' if visual.num_tiles == 1 else 'tiles'} "
        f"at level {visual.level}, {visual.length} tokens in all"
        for number, visual in enumerate(row.visuals, start=1)
    )


def _supervision(place: int, target: Target) -> str:
    """What is known of one expression."""
    boxes = "not annotated" if target.boxes is None else _counted(len(target.boxes))
    mask = "no mask" if target.mask is None else f"{target.mask.area} mask pixels"
    return f'<p style="color:{ink(place)}">{boxes}, {mask}</p>'


def _counted(boxes: int) -> str:
    return "1 box" if boxes == 1 else f"{boxes} boxes"


def _marked_text(ids: list[int], labels: list[int], tokenizer: Tokenizer) -> str:
    """Runs of equal kind, decoded: text, learnt text, visual tokens."""
    kinds = [
        "visual" if token == VISUAL_TOKEN else "learnt" if label != IGNORE_INDEX else "text"
        for token, label in zip(ids, labels, strict=True)
    ]
    parts = []
    start = 0
    for end in range(1, len(ids) + 1):
        if end < len(ids) and kinds[end] == kinds[start]:
            continue
        if kinds[start] == "visual":
            parts.append(f"<code>{end - start} visual tokens</code>")
        else:
            text = html.escape(tokenizer.decode(ids[start:end], skip_special=False))
            parts.append(f"<mark>{text}</mark>" if kinds[start] == "learnt" else text)
        start = end
    return " ".join(parts)


def _image(pixels: Tensor) -> Image.Image:
    """(3, S, S) uint8, as every data set makes them."""
    assert pixels.dtype == torch.uint8
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def _detector_image(sample: Sample) -> Image.Image:
    """The detector's picture with masks laid over it and boxes drawn."""
    assert sample.detector_image is not None
    image = _image(sample.detector_image)
    for place, target in enumerate(sample.targets):
        if target.mask is not None:
            # Of the photo's form, which takes so much of the detector's square.
            across, down = target.extent
            size = max(1, round(image.width * across)), max(1, round(image.height * down))
            alpha = Image.fromarray((target.mask.unpack().numpy() * 110).astype(np.uint8))
            tint = Image.new("RGB", size, color(place))
            image.paste(tint, (0, 0), alpha.resize(size))
    pen = ImageDraw.Draw(image)
    for place, target in enumerate(sample.targets):
        for cx, cy, w, h in [] if target.boxes is None else target.boxes.tolist():
            x0, x1 = ((cx + sign * w / 2) * image.width for sign in (-1, 1))
            y0, y1 = ((cy + sign * h / 2) * image.height for sign in (-1, 1))
            pen.rectangle((x0, y0, x1, y1), outline=color(place))
    return image
