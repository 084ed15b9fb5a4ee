"""A page of what was measured: charts first, the tables they were drawn from below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from seal.pages.embedded import picture
from seal.pages.page import Page
from seal.pages.table import Table


def write_measured(
    path: Path,
    title: str,
    *,
    tables: Sequence[Table],
    charts: Sequence[tuple[Path, str]] = (),
    notes: Sequence[str] = (),
) -> Path:
    """Write the page; charts are image files and their captions, those that are there."""
    page = Page(title)
    for chart, caption in charts:
        if chart.is_file():
            with Image.open(chart) as opened:
                # As it is: what is scaled or stored as a photograph has letters that blur.
                page.figure(picture(opened.convert("RGB"), alt=caption, exact=True), caption)
    for table in tables:
        page.table(table)
    for note in notes:
        page.note(note)
    return page.write(path)
