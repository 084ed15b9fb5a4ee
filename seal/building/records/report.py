"""One page about a record set: counts, drops by reason, and samples with boxes and masks drawn."""

from __future__ import annotations

import base64
import html
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from seal.data.masks import rle_to_mask
from seal.data.record_set import Expression, Record, RecordSet, record_contents
from seal.geometry import Box
from seal.images import open_image

_SIDE = 360  # pixels of a thumbnail's longer side
_COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")
_STYLE = (
    "body{font-family:sans-serif;margin:2em;max-width:1200px}td{padding:0 1em 0 0}"
    "td+td{text-align:right}.sheet{display:flex;flex-wrap:wrap;gap:1em}"
    "figure{margin:0;width:360px;font-size:13px}i{color:#888}"
)


def write_report(records: RecordSet, *, samples: int = 24, seed: int = 0) -> Path:
    """Write `report.html` into the set's folder; it needs no other file."""
    facts = records.description
    chosen = np.random.default_rng(seed).permutation(len(records))[:samples]
    figures = [_figure(records, records[int(index)]) for index in sorted(chosen)]
    parts = [
        f"<!doctype html><meta charset=utf-8><title>{html.escape(records.folder.name)}</title>",
        f"<style>{_STYLE}</style><h1>{html.escape(records.folder.name)}</h1>",
        f"<p>{html.escape(str(facts['builder']))}, seed {facts['seed']}: "
        f"{len(records)} records, images below {html.escape(str(records.image_root))}</p>",
        "<h2>Counts</h2>",
        _table({**facts["counts"], **_contents(records)}),
        "<h2>Settings</h2>",
        _table(facts["settings"]),
        f"<h2>{len(figures)} samples</h2><div class=sheet>",
        *figures,
        "</div>",
    ]
    path = records.folder / "report.html"
    partial = path.with_suffix(".partial")
    partial.write_text("\n".join(parts) + "\n", encoding="utf-8")
    partial.rename(path)
    return path


def draw_record(record: Record, image: Image.Image) -> Image.Image:
    """A thumbnail with targets and expressions drawn, each in the color of its place."""
    image = image.convert("RGB")
    for place, expression in enumerate(record.expressions):
        if expression.mask is not None:
            image = _tinted(image, rle_to_mask(expression.mask), _COLORS[place % len(_COLORS)])
    scale = _SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    image = image.resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for place, boxes in enumerate(_boxes(record)):
        for box in boxes:
            corners = [value * scale for value in (box.x0, box.y0, box.x1, box.y1)]
            draw.rectangle(corners, outline=_COLORS[place % len(_COLORS)], width=2)
    return image


def _boxes(record: Record) -> list[tuple[Box, ...]]:
    """Boxes by place: the targets of a VQA record, then the expressions of a search record."""
    return [(t.box,) for t in record.targets] + [e.boxes or () for e in record.expressions]


def _tinted(image: Image.Image, mask: np.ndarray, color: str) -> Image.Image:
    alpha = Image.fromarray((mask * 110).astype(np.uint8))
    return Image.composite(Image.new("RGB", image.size, color), image, alpha)


def _figure(records: RecordSet, record: Record) -> str:
    picture = ""
    path = records.image_path(record)
    if path is not None and not path.is_file():  # a builder may trust that it is elsewhere
        picture = f"<p>{html.escape(str(record.image))} is not here</p>"
    elif path is not None:
        stream = io.BytesIO()
        try:
            draw_record(record, open_image(path)).save(stream, "JPEG", quality=80)
            data = base64.b64encode(stream.getvalue()).decode("ascii")
            picture = f'<img alt="" src="data:image/jpeg;base64,{data}">'
        except ValueError as error:  # a builder that opens no image does not know
            picture = f"<p>{html.escape(str(error))}</p>"
    lines = [f"<b>{html.escape(record.id)}</b>", *_named_places(record)]
    lines += [
        f"<i>{message.speaker}</i> {html.escape(message.value)}" for message in record.conversations
    ]
    return f"<figure>{picture}<figcaption>{'<br>'.join(lines)}</figcaption></figure>"


def _named_places(record: Record) -> Iterable[str]:
    names = [target.name for target in record.targets]
    names += [f"{e.text} {_supervision(e)}" for e in record.expressions]
    for place, name in enumerate(names):
        yield f'<span style="color:{_COLORS[place % len(_COLORS)]}">{html.escape(name)}</span>'


def _supervision(expression: Expression) -> str:
    if expression.boxes is None:
        boxes = "boxes not annotated"
    else:
        boxes = f"{len(expression.boxes)} boxes" if expression.boxes else "absent"
    return f"({boxes}{', mask' if expression.mask is not None else ''})"


def _contents(records: RecordSet) -> dict[str, int]:
    """What the records hold: as their writer counted it, in an older set by reading them all."""
    if "contents" in records.description:
        return dict(records.description["contents"])
    counts: Counter[str] = Counter()
    for record in records:
        counts.update(record_contents(record))
    return dict(counts)


def _table(values: dict[str, object]) -> str:
    rows = [
        f"<tr><td>{html.escape(str(key))}</td><td>{html.escape(str(value))}</td></tr>"
        for key, value in values.items()
    ]
    return f"<table>{''.join(rows)}</table>"
