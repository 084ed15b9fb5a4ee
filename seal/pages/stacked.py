"""A picture of shares: a bar a kind, cut into parts that run from light to dark in their order."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seal.pages.svg import GRAY, LETTER, LINE, svg

_LINE = 18.0  # pixels of a row
_PLOT = 360.0  # pixels of a whole bar
_LIGHT, _DARK = (214, 230, 240), (12, 58, 94)  # ends of the scale, red green blue
_TOLD = 0.09  # smallest share that its part has room to tell


@dataclass(frozen=True, slots=True)
class Bar:
    """How many of one kind fell into each part."""

    name: str
    counts: tuple[int, ...]  # of every part, in order


def stacked(groups: Mapping[str, Sequence[Bar]], parts: Sequence[str]) -> str:
    """An SVG picture, as HTML: the bars of each group below its name, a legend above.

    groups: by name; an empty name has no line of its own. A bar of nothing is left empty.

    Raises:
        ValueError: there is no bar, or one has another number of parts.
    """
    bars = [bar for of in groups.values() for bar in of]
    if not bars or any(len(bar.counts) != len(parts) for bar in bars):
        raise ValueError(f"bars of {len(parts)} parts are wanted, got {bars[:3]}")
    tones = [shade(place, len(parts)) for place in range(len(parts))]
    left = 14 + max(map(len, [*groups, *(bar.name for bar in bars)])) * LETTER
    drawn, y = _legend(parts, tones, left), 34.0
    for group, of in groups.items():
        if group:
            drawn.append(
                f'<text class="group" x="{left:.1f}" y="{y + 13:.1f}" text-anchor="end" '
                f'fill="{GRAY}" font-style="italic">{html.escape(group)}</text>'
            )
            y += _LINE
        for bar in of:
            drawn += _drawn(bar, parts, tones, left, y)
            y += _LINE
        y += 6
    longest = max(len(str(sum(bar.counts))) for bar in bars)
    legend = left + 8 + sum(_room(part) for part in parts)
    width = max(left + _PLOT + 26 + longest * LETTER, legend)
    told = "shares of " + ", ".join(parts) + " among " + ", ".join(bar.name for bar in bars)
    return svg("stacked", drawn, width, y + 6, label=told)


def shade(place: int, count: int) -> str:
    """The color of a part as `#rrggbb`: the first is the lightest, the last of `count` darkest."""
    share = place / (count - 1) if count > 1 else 1.0
    mixed = (round(a + share * (b - a)) for a, b in zip(_LIGHT, _DARK, strict=True))
    return "#" + "".join(f"{value:02x}" for value in mixed)


def _room(part: str) -> float:
    """Pixels of an entry of the legend."""
    return 28 + len(part) * LETTER


def _legend(parts: Sequence[str], tones: Sequence[str], left: float) -> list[str]:
    drawn, x = [], left + 8
    for part, tone in zip(parts, tones, strict=True):
        drawn.append(
            f'<rect x="{x:.1f}" y="7" width="11" height="11" fill="{tone}"/>'
            f'<text x="{x + 15:.1f}" y="16">{html.escape(part)}</text>'
        )
        x += _room(part)
    return drawn


def _drawn(
    bar: Bar, parts: Sequence[str], tones: Sequence[str], left: float, y: float
) -> list[str]:
    whole = sum(bar.counts)
    drawn = [
        f'<text class="row" x="{left:.1f}" y="{y + 13:.1f}" text-anchor="end">'
        f"{html.escape(bar.name)}</text>"
    ]
    x = left + 8
    for place, count in enumerate(bar.counts):
        if not count:
            continue
        share = count / whole
        told = html.escape(f"{bar.name}, {parts[place]}: {count} of {whole}")
        drawn.append(
            f'<g><title>{told}</title><rect class="part" x="{x:.1f}" y="{y + 2:.1f}" '
            f'width="{share * _PLOT:.1f}" height="{_LINE - 4:.1f}" fill="{tones[place]}" '
            f'stroke="{LINE}" stroke-width="0.5"/>'
        )
        if share >= _TOLD:
            ink = "#fff" if 2 * place >= len(parts) else "#1c2024"
            drawn.append(
                f'<text x="{x + share * _PLOT / 2:.1f}" y="{y + 13:.1f}" text-anchor="middle" '
                f'fill="{ink}">{share:.0%}</text>'
            )
        drawn.append("</g>")
        x += share * _PLOT
    drawn.append(f'<text x="{left + 14 + _PLOT:.1f}" y="{y + 13:.1f}" fill="{GRAY}">{whole}</text>')
    return drawn
