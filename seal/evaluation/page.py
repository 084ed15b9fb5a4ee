"""A self-contained HTML page of results: tables with intervals, loss curves, pictures."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from seal.evaluation.tables import Table

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2.5rem auto;max-width:1080px;padding:0 1.5rem;
color:#1c2024;background:#fcfcfb}
h1{font-size:1.7rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2.4rem}
table{border-collapse:collapse;margin:.8rem 0}
th,td{padding:.3rem .9rem;text-align:right;border-bottom:1px solid #e2e2de}
th{font-weight:600;border-bottom:2px solid #b9b9b3}
th:first-child,td:first-child{text-align:left}
caption{text-align:left;padding:.3rem 0}
small,caption,figcaption,.note{color:#6a6e73}figure{margin:1.4rem 0}
img{max-width:100%;border:1px solid #e2e2de;border-radius:4px}
code{background:#f0f0ec;padding:.1rem .3rem;border-radius:3px}
details{margin:.8rem 0}summary{cursor:pointer}
"""
_PICTURE_WIDTH = 900  # pixels; wider pictures are scaled down


class Page:
    """Collects sections in order; `write` makes one file that needs no other."""

    def __init__(self, title: str, introduction: str = "") -> None:
        self.title = title
        self._parts = [f"<h1>{html.escape(title)}</h1>"]
        if introduction:
            self.text(introduction)

    def heading(self, text: str) -> None:
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def text(self, text: str) -> None:
        self._parts.append(f"<p>{html.escape(text)}</p>")

    def note(self, text: str) -> None:
        self._parts.append(f'<p class="note">{html.escape(text)}</p>')

    def table(self, table: Table) -> None:
        header = "".join(f"<th>{html.escape(cell)}</th>" for cell in table.head)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in table.rows
        )
        caption = f"<caption>{html.escape(table.title)}</caption>"
        self._parts.append(f"<table>{caption}<tr>{header}</tr>{body}</table>")

    def picture(self, image: Image.Image, caption: str) -> None:
        if image.width > _PICTURE_WIDTH:
            height = round(image.height * _PICTURE_WIDTH / image.width)
            image = image.resize((_PICTURE_WIDTH, height), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        image.convert("RGB").save(stream, "JPEG", quality=82)
        self._figure("image/jpeg", stream.getvalue(), caption)

    def curves(self, runs: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
        """Named losses over the steps, one panel a run; `runs`: lines of metrics.jsonl by name."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(11, 2.9 * -(-len(runs) // 2)), layout="constrained")
        panels = figure.subplots(-(-len(runs) // 2), 2, squeeze=False).flat
        for panel, (name, lines) in zip(panels, runs.items(), strict=False):
            for key in _losses(lines):
                points = [(line["step"], line[key]) for line in lines if key in line]
                style = "o--" if key.startswith("validation/") else "-"
                panel.plot(*zip(*points, strict=True), style, label=key, linewidth=1.0, ms=4)
            panel.set_title(name, fontsize=10)
            panel.set_yscale("log")
            panel.set_xlabel("step", fontsize=8)
            panel.tick_params(labelsize=8)
            panel.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
            panel.grid(alpha=0.25)
        for panel in list(figure.axes)[len(runs) :]:
            panel.set_visible(False)
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=110)
        self._figure("image/png", stream.getvalue(), "Losses, each weighted as in the total.")

    def write(self, path: Path) -> None:
        """Write under a temporary name and rename."""
        head = (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{html.escape(self.title)}</title><style>{_STYLE}</style>"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text("\n".join([head, *self._parts, "</html>"]), encoding="utf-8")
        temporary.replace(path)

    def _figure(self, kind: str, content: bytes, caption: str) -> None:
        data = base64.b64encode(content).decode("ascii")
        self._parts.append(
            f'<figure><img alt="{html.escape(caption)}" src="data:{kind};base64,{data}">'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        )


def _losses(lines: Sequence[Mapping[str, float]]) -> list[str]:
    """The loss parts in the lines, positive somewhere (the axis is logarithmic)."""
    known = ("ce", "bce", "dice", "focal", "l1", "giou", "query_alignment", "loss")
    names = dict.fromkeys(key for line in lines for key in line)
    return [
        name
        for name in names
        if name.removeprefix("validation/").removeprefix("loss/") in known
        and any(line.get(name, 0) > 0 for line in lines)
    ]
