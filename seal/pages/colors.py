"""Colors that tell the objects of one picture apart; text about an object has its color."""

from __future__ import annotations

_COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000")


def color(place: int) -> str:
    """The color of the object at `place`, as `#rrggbb`; they repeat after eight."""
    return _COLORS[place % len(_COLORS)]
