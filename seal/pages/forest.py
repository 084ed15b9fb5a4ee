"""A picture of one number of many systems: printed ones hollow, measured ones with intervals."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from seal.pages.axes import Axis, axis, short
from seal.pages.colors import ink
from seal.pages.svg import GRAY, LETTER, LINE, RULE, svg

PUBLISHED = "published"
_LINE = 20.0  # pixels of a row
_PLOT = 430.0  # pixels between the ends of the axis


@dataclass(frozen=True, slots=True)
class Mark:
    """One number of one row."""

    row: str
    group: str  # who measured it; `published`: it is printed
    value: float
    low: float | None = None
    high: float | None = None


def forest(marks: Sequence[Mark], *, x_label: str) -> str:
    """An SVG picture, as HTML: a line a row, in the order of the marks, a legend above.

    Raises:
        ValueError: there is no mark, or one is not finite.
    """
    rows = list(dict.fromkeys(mark.row for mark in marks))
    groups = list(dict.fromkeys(mark.group for mark in marks))
    left = 12 + max((len(row) for row in rows), default=0) * LETTER
    top = 30.0
    bottom = top + len(rows) * _LINE
    width, height = left + _PLOT + 30, bottom + 44
    ends = [v for m in marks for v in (m.value, m.low, m.high) if v is not None]
    across = axis(ends, left + 10, left + _PLOT)
    parts = [*_legend(groups, left), *_frame(rows, across, left, top, bottom, x_label)]
    own = [group for group in groups if group != PUBLISHED]
    for mark in marks:
        y = top + (rows.index(mark.row) + 0.5) * _LINE
        if mark.group != PUBLISHED and len(own) > 1:  # side by side, not over one another
            y += (own.index(mark.group) / (len(own) - 1) - 0.5) * (_LINE - 10)
        parts.append(_drawn(mark, across, y, groups))
    return svg("forest", parts, width, height, label=f"{x_label} of {', '.join(rows)}")


def _tone(group: str, groups: Sequence[str]) -> str:
    own = [name for name in groups if name != PUBLISHED]
    return GRAY if group == PUBLISHED else ink(own.index(group))


def _legend(groups: Sequence[str], left: float) -> list[str]:
    parts, x = [], left + 10
    for group in groups:
        tone = _tone(group, groups)
        fill = "none" if group == PUBLISHED else tone
        parts.append(
            f'<circle cx="{x:.1f}" cy="12" r="4" fill="{fill}" stroke="{tone}"/>'
            f'<text x="{x + 8:.1f}" y="16" fill="{tone}">{html.escape(group)}</text>'
        )
        x += 26 + len(group) * LETTER
    return parts


def _frame(
    rows: Sequence[str], across: Axis, left: float, top: float, bottom: float, x_label: str
) -> list[str]:
    parts = []
    for tick in across.ticks():
        x = across.place(tick)
        parts.append(
            f'<path d="M{x:.1f} {top:.1f}V{bottom:.1f}" stroke="{LINE}"/>'
            f'<text x="{x:.1f}" y="{bottom + 15:.1f}" text-anchor="middle" fill="{GRAY}">'
            f"{short(tick)}</text>"
        )
    for number, row in enumerate(rows):
        y = top + (number + 0.5) * _LINE
        parts.append(
            f'<text class="row" x="{left:.1f}" y="{y + 4:.1f}" text-anchor="end">'
            f"{html.escape(row)}</text>"
        )
    parts.append(
        f'<path d="M{across.start:.1f} {bottom:.1f}H{across.end:.1f}" stroke="{RULE}"/>'
        f'<text x="{(across.start + across.end) / 2:.1f}" y="{bottom + 34:.1f}" '
        f'text-anchor="middle">{html.escape(x_label)}</text>'
    )
    return parts


def _drawn(mark: Mark, across: Axis, y: float, groups: Sequence[str]) -> str:
    tone = _tone(mark.group, groups)
    told, bar = f"{mark.row}, {mark.group}: {mark.value:.4g}", ""
    if mark.low is not None and mark.high is not None:
        told += f" [{mark.low:.4g}, {mark.high:.4g}]"
        low, high = across.place(mark.low), across.place(mark.high)
        bar = f'<path d="M{low:.1f} {y:.1f}H{high:.1f}" stroke="{tone}"/>'
    fill = "none" if mark.group == PUBLISHED else tone
    return (
        f"<g><title>{html.escape(told)}</title>{bar}"
        f'<circle class="mark" cx="{across.place(mark.value):.1f}" cy="{y:.1f}" r="4" '
        f'fill="{fill}" stroke="{tone}"/></g>'
    )
