"""One layout of a vision tower on disk, whatever the library's version calls its tensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

Value = TypeVar("Value")
# DINOv2's attention before transformers 5.24 and in published files, and since, as on our disk.
_RENAMED = {
    ".attention.attention.query.": ".attention.q_proj.",
    ".attention.attention.key.": ".attention.k_proj.",
    ".attention.attention.value.": ".attention.v_proj.",
    ".attention.output.dense.": ".attention.o_proj.",
}
_TOWER = "vision_tower."


def name_on_disk(name: str) -> str:
    """The name that a tensor of a model has in our files; most have their own."""
    return new_name(name) if name.startswith(_TOWER) else name


def new_name(name: str) -> str:
    """The name the library gives a tensor of a tower since 5.24."""
    for old, new in _RENAMED.items():
        name = name.replace(old, new)
    return name


def names_here(stored: Mapping[str, Value], expected: Collection[str]) -> dict[str, Value]:
    """What lies under our names, under those that the installed library expects."""
    return {_name_here(name, expected): value for name, value in stored.items()}


def _name_here(name: str, expected: Collection[str]) -> str:
    if name in expected or not name.startswith(_TOWER):
        return name
    for old, new in _RENAMED.items():
        if (other := name.replace(new, old)) != name and other in expected:
            return other
    return name
