"""One page about a record set: counts, drops by reason, and samples with boxes and masks drawn."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from seal.data.masks import rle_to_mask
from seal.data.record_set import Expression, Record, RecordSet, record_contents
from seal.geometry import Box
from seal.images import open_image
from seal.pages.colors import color, ink
from seal.pages.page import Page, picture

_SIDE = 360  # pixels of a thumbnail's longer side


def write_report(records: RecordSet, *, samples: int = 24, seed: int = 0) -> Path:
    """Write `report.html` into the set's folder; it needs no other file."""
    facts = records.description
    chosen = np.random.default_rng(seed).permutation(len(records))[:samples]
    page = Page(
        records.folder.name,
        f"{facts['builder']}, seed {facts['seed']}: {len(records)} records, "
        f"images below {records.image_root}",
    )
    page.heading("Counts")
    page.facts({**facts["counts"], **_contents(records)})
    page.heading("Settings")
    page.facts(facts["settings"])
    page.heading(f"{len(chosen)} samples")
    page.sheet([_figure(records, records[int(index)]) for index in sorted(chosen)])
    return page.write(records.folder / "report.html")


def draw_record(record: Record, image: Image.Image) -> Image.Image:
    """A thumbnail with targets and expressions drawn, each in the color of its place."""
    image = image.convert("RGB")
    for place, expression in enumerate(record.expressions):
        if expression.mask is not None:
            image = _tinted(image, rle_to_mask(expression.mask), color(place))
    scale = _SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for place, boxes in enumerate(_boxes(record)):
        for box in boxes:
            corners = [value * scale for value in (box.x0, box.y0, box.x1, box.y1)]
            draw.rectangle(corners, outline=color(place), width=2)
    return image


def _boxes(record: Record) -> list[tuple[Box, ...]]:
    """Boxes by place: the targets of a VQA record, then the expressions of a search record."""
    return [(t.box,) for t in record.targets] + [e.boxes or () for e in record.expressions]


def _tinted(image: Image.Image, mask: np.ndarray, color: str) -> Image.Image:
    alpha = Image.fromarray((mask * 110).astype(np.uint8))
    return Image.composite(Image.new("RGB", image.size, color), image, alpha)


def _figure(records: RecordSet, record: Record) -> tuple[str, str]:
    """The picture and the caption of one record, as HTML."""
    shown = ""
    path = records.image_path(record)
    if path is not None and not path.is_file():  # a builder may trust that it is elsewhere
        shown = f"<p>{html.escape(str(record.image))} is not here</p>"
    elif path is not None:
        try:
            shown = picture(draw_record(record, open_image(path)), alt=f"the image of {record.id}")
        except ValueError as error:  # a builder that opens no image does not know
            shown = f"<p>{html.escape(str(error))}</p>"
    lines = [f"<b>{html.escape(record.id)}</b>", *_named_places(record)]
    lines += [
        f"<i>{message.speaker}</i> {html.escape(message.value)}" for message in record.conversations
    ]
    return shown, "<br>".join(lines)


def _named_places(record: Record) -> Iterable[str]:
    names = [target.name for target in record.targets]
    names += [f"{e.text} {_supervision(e)}" for e in record.expressions]
    for place, name in enumerate(names):
        yield f'<span style="color:{ink(place)}">{html.escape(name)}</span>'


def _supervision(expression: Expression) -> str:
    if expression.boxes is None:
        boxes = "boxes not annotated"
    else:
        boxes = _counted(len(expression.boxes)) if expression.boxes else "absent"
    return f"({boxes}{', mask' if expression.mask is not None else ''})"


def _counted(boxes: int) -> str:
    return "1 box" if boxes == 1 else f"{boxes} boxes"


def _contents(records: RecordSet) -> dict[str, int]:
    """What the records hold: as their writer counted it, in an older set by reading them all."""
    if "contents" in records.description:
        return dict(records.description["contents"])
    counts: Counter[str] = Counter()
    for record in records:
        counts.update(record_contents(record))
    return dict(counts)
