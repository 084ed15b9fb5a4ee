"""Sizes of a network that must divide one another."""

from __future__ import annotations


def require_multiple(config: object, whole: str, part: str) -> None:
    """Raise a ValueError unless field `whole` of `config` is a multiple of its field `part`.

    Both must be positive.
    """
    size, unit = getattr(config, whole), getattr(config, part)
    for name, value in ((whole, size), (part, unit)):
        if value < 1:
            raise ValueError(f"{name}={value} must be at least 1")
    if size % unit:
        raise ValueError(f"{whole}={size} is not a multiple of {part}={unit}")
