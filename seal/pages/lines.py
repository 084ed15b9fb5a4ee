"""Lines over a common axis, as of losses over steps, narrow enough for a phone."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from seal.pages.axes import Axis, axis, short
from seal.pages.colors import ink
from seal.pages.svg import GRAY, LETTER, LINE, RULE, svg

_WIDTH, _HEIGHT = 420.0, 210.0  # of a picture, and of its plot
_LEFT = 48.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its points by rising x, and how it is drawn."""

    name: str
    points: tuple[tuple[float, float], ...]
    group: int = 0  # lines of one group share a color
    dashed: bool = False
    dots: bool = False  # its points are marked
    bold: bool = False


def lines(
    drawn: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    decades: bool = False,
    across_decades: bool = False,
) -> str:
    """An SVG picture, as HTML, its legend above.

    decades: y counts in decades where it spans them; `across_decades`: x does.

    Raises:
        ValueError: there is no point, or one is not finite, or below 0 where decades are counted.
    """
    rows = _legend_rows(drawn)
    top = 8 + 16.0 * len(rows) + 20
    bottom = top + _HEIGHT
    points = [point for line in drawn for point in line.points]
    across = axis([x for x, _ in points], _LEFT, _WIDTH - 12, decades=across_decades)
    up = axis([y for _, y in points], bottom, top, decades=decades)
    parts = [*_legend(rows), *_frame(across, up, top, bottom, x_label, y_label)]
    parts += [_path(line, across, up) for line in drawn if line.points]
    told = f"{y_label} by {x_label}: {', '.join(line.name for line in drawn)}"
    return svg("lines", parts, _WIDTH, bottom + 40, label=told)


def _legend_rows(drawn: Sequence[Line]) -> list[list[tuple[Line, float]]]:
    """Lines with the place of their names, as many a row as there is room for."""
    rows: list[list[tuple[Line, float]]] = [[]]
    x = 8.0
    for line in drawn:
        room = 34 + len(line.name) * LETTER
        if rows[-1] and x + room > _WIDTH:
            rows.append([])
            x = 8.0
        rows[-1].append((line, x))
        x += room
    return rows


def _legend(rows: Sequence[Sequence[tuple[Line, float]]]) -> list[str]:
    parts = []
    for number, row in enumerate(rows):
        y = 12 + 16.0 * number
        for line, x in row:
            parts.append(
                f'<path d="M{x:.1f} {y:.1f}h18" {_stroke(line)}/>'
                f'<text class="name" x="{x + 23:.1f}" y="{y + 4:.1f}" fill="{ink(line.group)}">'
                f"{html.escape(line.name)}</text>"
            )
    return parts


def _frame(
    across: Axis, up: Axis, top: float, bottom: float, x_label: str, y_label: str
) -> list[str]:
    parts = []
    for value in up.ticks(5):
        y = up.place(value)
        parts.append(
            f'<path d="M{_LEFT:.1f} {y:.1f}H{across.end:.1f}" stroke="{LINE}"/>'
            f'<text x="{_LEFT - 6:.1f}" y="{y + 4:.1f}" text-anchor="end" fill="{GRAY}">'
            f"{short(value)}</text>"
        )
    for value in across.ticks(5):
        x = across.place(value)
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 15:.1f}" text-anchor="middle" fill="{GRAY}">'
            f"{short(value)}</text>"
        )
    parts.append(
        f'<path d="M{_LEFT:.1f} {top:.1f}V{bottom:.1f}H{across.end:.1f}" fill="none" '
        f'stroke="{RULE}"/>'
        f'<text x="{(_LEFT + across.end) / 2:.1f}" y="{bottom + 33:.1f}" text-anchor="middle">'
        f"{html.escape(x_label)}</text>"
        f'<text x="8" y="{top - 8:.1f}">{html.escape(y_label)}</text>'
    )
    return parts


def _path(line: Line, across: Axis, up: Axis) -> str:
    spots = [(across.place(x), up.place(y)) for x, y in line.points]
    way = f"M{spots[0][0]:.1f} {spots[0][1]:.1f}"
    for x, y in spots[1:]:
        way += f"L{x:.1f} {y:.1f}"
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{ink(line.group)}"/>'
        for x, y in (spots if line.dots else [])
    )
    return (
        f"<g><title>{html.escape(line.name)}</title>"
        f'<path class="line" d="{way}" fill="none" {_stroke(line)}/>{marks}</g>'
    )


def _stroke(line: Line) -> str:
    width = 2.6 if line.bold else 1.4
    dashes = ' stroke-dasharray="5 3"' if line.dashed else ""
    return f'stroke="{ink(line.group)}" stroke-width="{width}"{dashes}'
