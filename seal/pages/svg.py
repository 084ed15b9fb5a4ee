"""What every drawn picture shares: its frame as HTML, its font, the colors of its axes.

Colors are names of the page's style, so that a picture is legible on light and on dark paper; where
it stands alone, the light ones hold.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

LETTER = 6.7  # pixels of a letter: monospaced ones are 0.6 of their 11 pixels wide
GRAY = "var(--soft,#5f646a)"
LINE = "var(--line,#e2e2de)"  # of a grid
RULE = "var(--rule,#b3b3ad)"  # of an axis
_LEGIBLE = 0.75  # a picture shrinks to this part of its size; then its box scrolls


def svg(kind: str, parts: Sequence[str], width: float, height: float, *, label: str = "") -> str:
    """An SVG picture, as HTML, that shrinks with the page while its letters can be read.

    kind: its class. label: what it shows, in words, for who cannot see it.
    """
    told = f'aria-label="{html.escape(label)}" ' if label else ""
    return (
        f'<svg class="{kind}" xmlns="http://www.w3.org/2000/svg" role="img" {told}'
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'style="min-width:{_LEGIBLE * width:.0f}px" fill="currentColor" '
        f'font-family="ui-monospace,monospace" font-size="11">' + "".join(parts) + "</svg>"
    )
