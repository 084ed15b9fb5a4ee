"""Bars: one number of a few systems, with its interval, narrow enough for a phone."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from seal.pages.axes import line_ticks, short
from seal.pages.colors import ink
from seal.pages.svg import GRAY, LETTER, LINE, svg

_LINE = 26.0  # pixels of a row
_WIDTH = 420.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One system's number."""

    name: str
    value: float
    low: float | None = None  # its interval
    high: float | None = None
    group: int = 0  # bars of one group share a color


def bars(rows: Sequence[Bar], *, x_label: str, most: float | None = None) -> str:
    """An SVG picture, as HTML: a bar a row from 0, its number behind it.

    most: where the axis ends; None: behind the longest bar.

    Raises:
        ValueError: there is no bar, or a value is negative or not finite.
    """
    if not rows or any(not math.isfinite(row.value) or row.value < 0 for row in rows):
        raise ValueError(f"bars need values from 0 up, got {[row.value for row in rows][:5]}")
    left = 10 + max(len(row.name) for row in rows) * LETTER
    right = _WIDTH - 44
    end = most or max(max(row.high or 0.0, row.value) for row in rows) * 1.04 or 1.0
    scale = (right - left) / end
    bottom = 6 + len(rows) * _LINE
    parts = []
    for tick in line_ticks(0.0, end, 5):
        x = left + tick * scale
        parts.append(
            f'<path d="M{x:.1f} 4V{bottom:.1f}" stroke="{LINE}"/>'
            f'<text x="{x:.1f}" y="{bottom + 15:.1f}" text-anchor="middle" fill="{GRAY}">'
            f"{short(tick)}</text>"
        )
    parts += [_drawn(row, 6 + place * _LINE, left, scale) for place, row in enumerate(rows)]
    parts.append(
        f'<text x="{(left + right) / 2:.1f}" y="{bottom + 33:.1f}" text-anchor="middle">'
        f"{html.escape(x_label)}</text>"
    )
    told = "; ".join(f"{row.name} {row.value:.3g}" for row in rows)
    return svg("bars", parts, _WIDTH, bottom + 40, label=f"{x_label}: {told}")


def _drawn(row: Bar, top: float, left: float, scale: float) -> str:
    tone, middle = ink(row.group), top + _LINE / 2
    end = left + row.value * scale
    told, interval = f"{row.name}: {row.value:.4g}", ""
    if row.low is not None and row.high is not None:
        told += f" [{row.low:.4g}, {row.high:.4g}]"
        low, high = left + row.low * scale, left + row.high * scale
        interval = (
            f'<path d="M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 4:.1f}v8'
            f'M{high:.1f} {middle - 4:.1f}v8" stroke="currentColor" stroke-width="1.3"/>'
        )
        end = max(end, high)
    return (
        f"<g><title>{html.escape(told)}</title>"
        f'<text class="row" x="{left - 6:.1f}" y="{middle + 4:.1f}" text-anchor="end">'
        f"{html.escape(row.name)}</text>"
        f'<rect class="bar" x="{left:.1f}" y="{top + 4:.1f}" width="{row.value * scale:.1f}" '
        f'height="{_LINE - 8:.1f}" rx="2" fill="{tone}" fill-opacity="0.75"/>{interval}'
        f'<text x="{end + 6:.1f}" y="{middle + 4:.1f}">{row.value:.3g}</text></g>'
    )
