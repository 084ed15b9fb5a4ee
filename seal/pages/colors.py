"""Colors that tell the objects of one picture apart; text about an object has its color."""

from __future__ import annotations

_COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")
# The same hues as text and lines of a page: legible on light paper, and on dark.
INKS = ("#c3123c", "#1f7a33", "#3457cf", "#b2530a", "#8316a6", "#007070", "#845217", "#666600")
DARK_INKS = (
    "#ff7b90", "#6fd47f", "#8fa8ff", "#ffa45c", "#d88af2", "#4fc7c7", "#d8a468", "#c6c64a",
)  # fmt: skip


def color(place: int) -> str:
    """The color of the object at `place`, as `#rrggbb`; they repeat after eight."""
    return _COLORS[place % len(_COLORS)]


def ink(place: int) -> str:
    """That color for text and lines of a page, as CSS: what is legible on the page's paper."""
    place %= len(INKS)
    return f"var(--c{place},{INKS[place]})"
