"""The tree of regions as a small picture: a dot a visit, from left to right, deeper is lower."""

from __future__ import annotations

import html

from seal.app.walks import Walk
from seal.app.words import step_said
from seal.search import canvas

_ACROSS, _DOWN, _RADIUS = 22, 26, 7  # pixels from dot to dot, from level to level, and of a dot
_RAMP = 24


def tree(walk: Walk, *, at: int) -> str:
    """SVG in a box that scrolls by itself; `at`: the step that is shown, from 1."""
    steps = walk.steps
    if len(steps) < 2:
        return ""
    decisive = walk.result.num_steps if walk.result is not None and walk.result.found else 0
    lines, dots = [], []
    for step in steps:
        x, y = _place(step.number, step.depth)
        if step.parent is not None:
            parent = steps[step.parent - 1]
            x0, y0 = _place(parent.number, parent.depth)
            lines.append(f'<path d="M{x0} {y0}C{x0} {y - 8} {x} {y0 + 8} {x} {y}"/>')
        red, green, blue = canvas.order_color(min(step.number - 1, _RAMP), _RAMP + 1)
        kind = "dot" + (" found" if step.number == decisive else "")
        kind += " on" if step.number == at else ""
        dots.append(
            f'<g class="{kind}" data-step="{step.number}" onclick="sealDot(this)">'
            f"<title>{html.escape(step_said(step, walk.target))}</title>"
            f'<circle cx="{x}" cy="{y}" r="{_RADIUS}" fill="rgb({red},{green},{blue})"/>'
            f'<text x="{x}" y="{y}">{step.number}</text></g>'
        )
    deepest = max(step.depth for step in steps)
    width = len(steps) * _ACROSS + 8
    height = deepest * _DOWN + 2
    return (
        '<div class="seal-tree" tabindex="0" aria-label="tree of regions">'
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<g class="lines">{"".join(lines)}</g>{"".join(dots)}</svg></div>'
    )


def _place(number: int, depth: int) -> tuple[int, int]:
    return (number - 1) * _ACROSS + _ACROSS // 2 + 4, (depth - 1) * _DOWN + _DOWN // 2 + 1
