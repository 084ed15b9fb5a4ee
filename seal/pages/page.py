"""The one page: headings, text, tables and pictures in a single HTML file that needs no other."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from seal.files.whole import write_whole
from seal.pages.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2.5rem auto;max-width:1080px;padding:0 1.5rem;
color:#1c2024;background:#fcfcfb}
h1{font-size:1.7rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2.4rem}
h3{font-size:1rem;margin-top:1.6rem}
table{border-collapse:collapse;margin:.8rem 0}
th,td{padding:.3rem .9rem;text-align:right;border-bottom:1px solid #e2e2de}
th{font-weight:600;border-bottom:2px solid #b9b9b3}
th:first-child,td:first-child{text-align:left}
caption{text-align:left;padding:.3rem 0}
small,caption,figcaption,.note,i{color:#6a6e73}figure{margin:1.4rem 0}
img{max-width:100%;border:1px solid #e2e2de;border-radius:4px}
.sheet{display:flex;flex-wrap:wrap;gap:1rem}.sheet figure{margin:0;width:330px;font-size:13px}
.wide.sheet figure{width:auto;flex:1 1 500px}
.scroll{overflow-x:auto}.tight{font-size:12.5px}.tight th,.tight td{padding:.25rem .5rem}
.tight td{white-space:nowrap}
.many.tight{font-size:11.5px}.many.tight th,.many.tight td{padding:.25rem .3rem;white-space:normal}
.many td:first-child{min-width:8rem}
.pictures img{width:224px}
code{background:#f0f0ec;padding:.1rem .3rem;border-radius:3px}mark{background:#bde5b8}
pre{white-space:pre-wrap;border-top:1px solid #e2e2de;padding-top:.6rem;font:inherit}
details{margin:.8rem 0}summary{cursor:pointer}
"""
_TIGHT_COLUMNS = 7  # from so many on a table is set tight
_MANY_COLUMNS = 11  # and from so many its intervals stand below their numbers, to keep it in sight
_PICTURE_WIDTH = 900  # pixels; wider pictures are scaled down


class Page:
    """Collects parts in order; `write` makes one file. What is given as text is escaped."""

    def __init__(self, title: str, introduction: str = "") -> None:
        self.title = title
        self._parts = [f"<h1>{html.escape(title)}</h1>"]
        if introduction:
            self.text(introduction)

    def heading(self, text: str) -> None:
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def subheading(self, text: str) -> None:
        self._parts.append(f"<h3>{html.escape(text)}</h3>")

    def text(self, text: str) -> None:
        self._parts.append(f"<p>{html.escape(text)}</p>")

    def note(self, text: str) -> None:
        self._parts.append(f'<p class="note">{html.escape(text)}</p>')

    def markup(self, markup: str) -> None:
        """Add HTML as it is: whoever made it escaped what it says."""
        self._parts.append(markup)

    def table(self, table: Table) -> None:
        """With many columns it is set tight, and scrolls by itself where it is still too wide."""
        header = "".join(f"<th>{html.escape(cell)}</th>" for cell in table.head)
        caption = f"<caption>{html.escape(table.title)}</caption>" if table.title else ""
        kind, rows = "", table.rows
        if len(table.head) >= _TIGHT_COLUMNS:
            kind = ' class="tight"'
        if len(table.head) >= _MANY_COLUMNS:
            kind = ' class="tight many"'
            rows = tuple((row[0], *map(_broken_once, row[1:])) for row in rows)
        self._parts.append(
            f'<div class="scroll"><table{kind}>{caption}<tr>{header}</tr>'
            f"{_rows(rows)}</table></div>"
        )
        if table.notes:
            self._parts.append(f'<p class="note">{"<br>".join(map(html.escape, table.notes))}</p>')

    def commands(self, text: str, commands: Sequence[str]) -> None:
        """What to type for something, one command a line."""
        lines = "<br>".join(f"<code>{html.escape(command)}</code>" for command in commands)
        self._parts.append(f'<p class="note">{html.escape(text)}<br>{lines}</p>')

    def facts(self, facts: Mapping[str, Any]) -> None:
        """A table of names and values."""
        rows = [(str(name), str(value)) for name, value in facts.items()]
        self._parts.append(f"<table>{_rows(rows)}</table>")

    def picture(self, image: Image.Image, caption: str) -> None:
        self._figure(picture(image, width=_PICTURE_WIDTH), caption)

    def plot(self, figure: Figure, caption: str) -> None:
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=110)
        self._figure(_embedded("image/png", stream.getvalue()), caption)

    def sheet(self, figures: Sequence[tuple[str, str]], *, wide: bool = False) -> None:
        """Small figures side by side, or `wide` ones; each is a picture and its caption, HTML."""
        cells = [
            f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
            for image, caption in figures
        ]
        kind = "wide sheet" if wide else "sheet"
        self._parts.append("\n".join([f'<div class="{kind}">', *cells, "</div>"]))

    def to_html(self) -> str:
        """The whole document."""
        head = (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{html.escape(self.title)}</title><style>{_STYLE}</style>"
        )
        return "\n".join([head, *self._parts, "</html>"]) + "\n"

    def write(self, path: Path) -> Path:
        """Write the page; readers see the old one or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_whole(path, self.to_html())

    def _figure(self, image: str, caption: str) -> None:
        self._parts.append(
            f"<figure>{image}<figcaption>{html.escape(caption)}</figcaption></figure>"
        )


def picture(image: Image.Image, *, width: int | None = None, exact: bool = False) -> str:
    """An image tag that carries its pixels.

    Args:
        width: pixels; a wider picture is scaled down to it.
        exact: pixels as they are (PNG), not nearly (JPEG, a tenth of the size).
    """
    if width is not None and image.width > width:
        height = round(image.height * width / image.width)
        image = image.resize((width, max(1, height)), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    if exact:
        image.save(stream, "PNG")
        return _embedded("image/png", stream.getvalue())
    image.convert("RGB").save(stream, "JPEG", quality=82)
    return _embedded("image/jpeg", stream.getvalue())


def _embedded(kind: str, content: bytes) -> str:
    data = base64.b64encode(content).decode("ascii")
    return f'<img alt="" src="data:{kind};base64,{data}">'


def _broken_once(cell: str) -> str:
    """A cell that may be broken at its first blank alone, between a number and its interval."""
    number, blank, rest = cell.partition(" ")
    return number + blank + rest.replace(" ", "\N{NO-BREAK SPACE}")


def _rows(rows: Sequence[Sequence[str]]) -> str:
    return "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
