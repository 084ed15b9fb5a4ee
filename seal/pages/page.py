"""The one page: headings, text, tables and pictures in a single HTML file that needs no other."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from seal.files.whole import write_whole
from seal.pages.embedded import EMBEDDED, picture
from seal.pages.style import STYLE
from seal.pages.table import Table

__all__ = ["Page", "picture"]

MAX_BYTES = 16_000_000  # of a page: what browsers open at once, and mail still carries
_TIGHT_COLUMNS = 7  # from so many on a table is set tight
_MANY_COLUMNS = 11  # and from so many its intervals stand below their numbers, to keep it in sight
_PICTURE_WIDTH = 900  # pixels; wider pictures are scaled down
_CONTENTS_FROM = 4  # headings; with so many a page begins with links to them
_TAG = re.compile(r"<img [^>]*>")


class Page:
    """Collects parts in order; `write` makes one file. What is given as text is escaped.

    Args:
        refresh: seconds after which a browser reads the page again, while it is still growing.
        max_bytes: of all parts; pictures beyond it are left out, and the page says how many.
    """

    def __init__(
        self,
        title: str,
        introduction: str = "",
        *,
        refresh: int | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.title = title
        self.refresh = refresh
        self._room = max_bytes
        self._left_out = 0
        self._parts: list[str] = []
        self._headings: list[str] = []
        self._introduction = f"<p>{html.escape(introduction)}</p>" if introduction else ""

    def heading(self, text: str) -> None:
        """A part of the page; with four or more of them links to each stand at the top."""
        self._headings.append(text)
        self._add(f'<h2 id="part{len(self._headings)}">{html.escape(text)}</h2>')

    def subheading(self, text: str) -> None:
        self._add(f"<h3>{html.escape(text)}</h3>")

    def text(self, text: str) -> None:
        self._add(f"<p>{html.escape(text)}</p>")

    def note(self, text: str) -> None:
        self._add(f'<p class="note">{html.escape(text)}</p>')

    def markup(self, markup: str) -> None:
        """Add HTML as it is: whoever made it escaped what it says."""
        self._add(markup)

    @contextmanager
    def folded(self, summary: str) -> Iterator[None]:
        """What is added inside is shown when the reader opens it."""
        self._add(f"<details><summary>{html.escape(summary)}</summary>")
        yield
        self._add("</details>")

    def table(self, table: Table) -> None:
        """It scrolls by itself where it is too wide; with many columns it is set tight."""
        header = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in table.head)
        caption = f"<caption>{html.escape(table.title)}</caption>" if table.title else ""
        kind, rows = "", table.rows
        if len(table.head) >= _TIGHT_COLUMNS:
            kind = ' class="tight"'
        if len(table.head) >= _MANY_COLUMNS:
            kind = ' class="tight many"'
            rows = tuple((row[0], *map(_broken_once, row[1:])) for row in rows)
        self._add(
            f'<div class="scroll" tabindex="0"><table{kind}>{caption}<thead><tr>{header}</tr>'
            f"</thead><tbody>{_rows(rows)}</tbody></table></div>"
        )
        if table.notes:
            self._add(f'<p class="note">{"<br>".join(map(html.escape, table.notes))}</p>')

    def commands(self, text: str, commands: Sequence[str]) -> None:
        """What to type for something, one command a line."""
        lines = "<br>".join(f"<code>{html.escape(command)}</code>" for command in commands)
        self._add(f'<p class="note">{html.escape(text)}<br>{lines}</p>')

    def facts(self, facts: Mapping[str, Any]) -> None:
        """A table of names and values."""
        rows = [(str(name), str(value)) for name, value in facts.items()]
        self._add(f'<table class="facts">{_rows(rows)}</table>')

    def picture(self, image: Image.Image, caption: str, *, alt: str | None = None) -> None:
        """A picture over the whole width. alt: what it shows (None: what the caption says)."""
        shown = picture(image, width=_PICTURE_WIDTH, alt=caption if alt is None else alt)
        self.figure(shown, html.escape(caption))

    def figure(self, shown: str, caption: str = "") -> None:
        """A picture or drawing and its caption, both HTML."""
        self._add(_figure(shown, caption))

    def sheet(self, figures: Sequence[tuple[str, str]], *, wide: bool = False) -> None:
        """Small figures side by side, or `wide` ones; each is a picture and its caption, HTML."""
        self._add(f'<div class="{"wide sheet" if wide else "sheet"}">')
        for shown, caption in figures:
            self._add(_figure(shown, caption))
        self._add("</div>")

    @property
    def inside(self) -> str:
        """What was added so far, HTML: another page's `markup` takes it."""
        return "\n".join(self._parts)

    def to_html(self) -> str:
        """The whole document."""
        refresh = (
            "" if self.refresh is None else f'<meta http-equiv="refresh" content="{self.refresh}">'
        )
        head = (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"{refresh}<title>{html.escape(self.title)}</title><style>{STYLE}</style></head>"
        )
        body = ["<body><main>", f"<h1>{html.escape(self.title)}</h1>", self._introduction]
        end = [] if not self._left_out else [_told_left_out(self._left_out)]
        parts = [head, *body, self._contents(), *self._parts, *end, "</main></body></html>"]
        return "\n".join(part for part in parts if part) + "\n"

    def write(self, path: Path) -> Path:
        """Write the page; readers see the old one or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_whole(path, self.to_html())

    def _add(self, part: str) -> None:
        if len(part) > self._room and EMBEDDED in part:
            part, count = _TAG.subn("", part)
            self._left_out += count
        self._room -= len(part)
        self._parts.append(part)

    def _contents(self) -> str:
        if len(self._headings) < _CONTENTS_FROM:
            return ""
        links = [
            f'<a href="#part{number}">{html.escape(text)}</a>'
            for number, text in enumerate(self._headings, start=1)
        ]
        return f'<nav aria-label="Contents">{" ".join(links)}</nav>'


def _figure(shown: str, caption: str) -> str:
    told = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure>{shown}{told}</figure>"


def _told_left_out(count: int) -> str:
    pictures = "1 picture is" if count == 1 else f"{count} pictures are"
    return f'<p class="note">{pictures} left out: the page would be too large to open.</p>'


def _broken_once(cell: str) -> str:
    """A cell that may be broken at its first blank alone, between a number and its interval."""
    number, blank, rest = cell.partition(" ")
    return number + blank + rest.replace(" ", "\N{NO-BREAK SPACE}")


def _rows(rows: Sequence[Sequence[str]]) -> str:
    return "".join(
        f'<tr><th scope="row">{html.escape(row[0])}</th>'
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
        if row
    )
