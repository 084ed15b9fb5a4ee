"""A picture of quality against cost: a point a system, its interval, and which nothing beats."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from seal.geometry import Box
from seal.pages.axes import Axis, axis, short
from seal.pages.colors import ink
from seal.pages.labels import Label, place_labels
from seal.pages.svg import GRAY, LETTER, LINE, RULE, svg

_LINE = 15.0  # pixels of a line of text
_LONGEST = 40  # letters of a label; the whole name is told where the pointer rests


@dataclass(frozen=True, slots=True)
class Point:
    """One system. `y` is better the higher, `x` the lower."""

    name: str
    x: float
    y: float
    low: float | None = None  # interval of y
    high: float | None = None
    group: int = 0  # points of one group share a color


def front(points: Sequence[Point]) -> list[int]:
    """The points that no other beats (as good at less, or better at no more), by rising cost."""
    kept = [
        i
        for i, p in enumerate(points)
        if not any(q.x <= p.x and q.y >= p.y and (q.x < p.x or q.y > p.y) for q in points)
    ]
    return sorted(kept, key=lambda i: (points[i].x, points[i].y, i))


def scatter(
    points: Sequence[Point],
    *,
    x_label: str,
    y_label: str,
    width: int = 540,
    height: int = 330,
    decades: bool = True,
) -> str:
    """An SVG picture, as HTML; taller and wider than asked where the labels need it.

    decades: the cost counts in decades where it spans them.

    Raises:
        ValueError: there is no point, or one is not finite, or a cost is negative.
    """
    height = max(height, round(len(points) * _LINE) + 76)
    area = Box(54, 14, width - 16, height - 50)
    ends = [v for p in points for v in (p.y, p.low, p.high) if v is not None]
    across = axis([p.x for p in points], area.x0, area.x1, decades=decades)
    up = axis(ends, area.y1, area.y0)
    spots = [(across.place(p.x), up.place(p.y)) for p in points]
    names = [_cut(p.name) for p in points]
    bars = [_bar(p, spot[0], up) for p, spot in zip(points, spots, strict=True)]
    labels = place_labels(
        spots,
        [len(name) * LETTER for name in names],
        height=_LINE,
        area=area,
        obstacles=[bar for bar in bars if bar is not None],
    )
    right = max([float(width), *(label.box.x1 + 8 for label in labels)])
    parts = [*_frame(area, across, up, x_label, y_label), _front_line(points, spots)]
    for point, spot, name, bar, label in zip(points, spots, names, bars, labels, strict=True):
        parts.append(_drawn(point, spot, name, bar, label))
    told = f"{y_label} by {x_label} of {', '.join(names)}"
    return svg("scatter", parts, right, height, label=told)


def _frame(area: Box, across: Axis, up: Axis, x_label: str, y_label: str) -> list[str]:
    parts = []
    for value in up.ticks():
        y = up.place(value)
        parts.append(
            f'<path d="M{area.x0:.1f} {y:.1f}H{area.x1:.1f}" stroke="{LINE}"/>'
            f'<text x="{area.x0 - 6:.1f}" y="{y + 4:.1f}" text-anchor="end" fill="{GRAY}">'
            f"{short(value)}</text>"
        )
    for value in across.ticks():
        x = across.place(value)
        parts.append(
            f'<path d="M{x:.1f} {area.y0:.1f}V{area.y1:.1f}" stroke="{LINE}"/>'
            f'<text x="{x:.1f}" y="{area.y1 + 16:.1f}" text-anchor="middle" fill="{GRAY}">'
            f"{short(value)}</text>"
        )
    parts.append(
        f'<path d="M{area.x0:.1f} {area.y0:.1f}V{area.y1:.1f}H{area.x1:.1f}" fill="none" '
        f'stroke="{RULE}"/>'
        f'<text x="{(area.x0 + area.x1) / 2:.1f}" y="{area.y1 + 36:.1f}" text-anchor="middle">'
        f"{html.escape(x_label)}</text>"
        f'<text transform="translate(13 {(area.y0 + area.y1) / 2:.1f}) rotate(-90)" '
        f'text-anchor="middle">{html.escape(y_label)}</text>'
    )
    return parts


def _front_line(points: Sequence[Point], spots: Sequence[tuple[float, float]]) -> str:
    """Steps: up to the next point of the front, what the one before reaches is the best."""
    kept = front(points)
    steps = f"M{spots[kept[0]][0]:.1f} {spots[kept[0]][1]:.1f}"
    for i in kept[1:]:
        steps += f"H{spots[i][0]:.1f}V{spots[i][1]:.1f}"
    return f'<path class="front" d="{steps}" fill="none" stroke="{RULE}" stroke-dasharray="4 3"/>'


def _bar(point: Point, x: float, up: Axis) -> Box | None:
    """The interval of a point, 2 pixels wide."""
    if point.low is None or point.high is None:
        return None
    return Box(x - 1, up.place(point.high), x + 1, up.place(point.low))


def _drawn(
    point: Point, spot: tuple[float, float], name: str, bar: Box | None, label: Label
) -> str:
    tone = ink(point.group)
    x, y = spot
    told = f"{point.name}: {point.y:.4g}"
    if point.low is not None and point.high is not None:
        told += f" [{point.low:.4g}, {point.high:.4g}]"
    parts = [f"<g><title>{html.escape(told)} at {point.x:.4g}</title>"]
    if bar is not None:
        parts.append(f'<path d="M{x:.1f} {bar.y0:.1f}V{bar.y1:.1f}" stroke="{tone}"/>')
    box = label.box
    if label.leader:
        end = box.x0 - 2 if box.x0 > x else box.x1 + 2 if box.x1 < x else (box.x0 + box.x1) / 2
        parts.append(
            f'<path d="M{x:.1f} {y:.1f}L{end:.1f} {(box.y0 + box.y1) / 2:.1f}" '
            f'stroke="{RULE}" stroke-width="0.7"/>'
        )
    parts.append(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{tone}"/>'
        f'<text class="label" x="{box.x0:.1f}" y="{box.y1 - 4:.1f}" fill="{tone}">'
        f"{html.escape(name)}</text></g>"
    )
    return "".join(parts)


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."
