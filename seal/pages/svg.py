"""What every drawn picture shares: its frame as HTML, its font, the gray of its axes."""

from __future__ import annotations

from collections.abc import Sequence

LETTER = 6.7  # pixels of a letter: monospaced ones are 0.6 of their 11 pixels wide
GRAY = "#6a6e73"


def svg(kind: str, parts: Sequence[str], width: float, height: float) -> str:
    """An SVG picture, as HTML, that shrinks with the page; `kind` is its class."""
    return (
        f'<svg class="{kind}" xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'style="max-width:100%;height:auto" font-family="ui-monospace,monospace" '
        f'font-size="11">' + "".join(parts) + "</svg>"
    )
