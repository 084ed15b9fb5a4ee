"""Sizes of a network that must divide one another."""

from __future__ import annotations


def require_multiple(config: object, whole: str, part: str) -> None:
    """Raise a ValueError unless field `whole` of `config` is a multiple of its field `part`."""
    size, unit = getattr(config, whole), getattr(config, part)
    if size % unit:
        raise ValueError(f"{whole}={size} is not a multiple of {part}={unit}")
