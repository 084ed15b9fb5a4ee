"""Read the fields of a source's entry: what is not of its type is an error that shows the value."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from typing import Any

from seal.geometry import Box

_MOST_PIXELS = 1_000_000  # a larger coordinate is a mistake, not a place
_LONGEST = 60  # characters of a value in a message
_BRIEF = reprlib.Repr()
_BRIEF.maxlevel, _BRIEF.maxstring, _BRIEF.maxother, _BRIEF.maxlist = 2, _LONGEST, _LONGEST, 8
_FLAGS = {"0": False, "1": True, "false": False, "true": True}


def shown(value: object) -> str:
    """A value in a message, on one line and not longer than one reads."""
    try:
        found = _BRIEF.repr(value)  # not of every part: a pickle may hold itself
    except ValueError:  # a number of more digits than Python writes
        found = f"a long {type(value).__name__}"
    found = found.encode("ascii", "backslashreplace").decode("ascii")
    return found if len(found) <= _LONGEST else f"{found[: _LONGEST - 3]}..."


def text(value: object, what: str) -> str:
    """A text that a file in UTF-8 can hold.

    Raises:
        ValueError: it is none; says `what` it should be. So do all functions here.
    """
    if not isinstance(value, str):
        raise ValueError(f"{what} must be text, got {shown(value)}")
    if "\0" in value:  # what a disk leaves where nothing was written
        raise ValueError(f"{what} {shown(value)} holds a zero byte")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{what} {shown(value)} holds half of a surrogate pair")
    return value


def name_text(value: object, what: str) -> str:
    """The name of a class or a thing: lower case, blanks made single."""
    return " ".join(text(value, what).lower().split())


def given(value: Any) -> Any:
    """A value that may be missing; None where it is null or the -1 that some tools write for it."""
    return None if type(value) in (int, float) and value == -1 else value


def listed(value: object, what: str) -> list[Any]:
    """A list; null or -1: an empty one."""
    value = given(value)
    if value is not None and not isinstance(value, list):
        raise ValueError(f"{what} must be a list, got {shown(value)}")
    return value or []


def id_text(value: object) -> str:
    """An id in the one form in which ids are compared: 7, "7" and 7.0 are one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, str)) or value == "":
        raise ValueError(f"an id is a whole number or a text, got {shown(value)}")
    return text(str(value).strip(), "an id")


def checked_id(value: Any) -> Any:
    """An id as the source has it, for `meta`; None: there is none."""
    if value is not None:
        id_text(value)
    return value


def number(value: object, what: str) -> float:
    """A finite number, which may be written as text."""
    if (
        isinstance(value, (int, float, str))
        and not isinstance(value, bool)
        and "_" not in str(value)
    ):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            found = math.nan
        if math.isfinite(found):
            return found
    raise ValueError(f"{what} must be a finite number, got {shown(value)}")


def whole(value: object, what: str) -> int:
    """A whole number, which may be written as text or with a point."""
    found = number(value, what)
    if not found.is_integer():
        raise ValueError(f"{what} must be a whole number, got {shown(value)}")
    return int(found)


def flag(value: object, what: str) -> bool:
    """Yes or no as 1 or 0, 1.0 or 0.0, true or false, or these as text; null or -1: no."""
    if given(value) is None:
        return False
    key = str(value).strip().lower() if isinstance(value, (bool, int, float, str)) else ""
    key = key.removesuffix(".0")
    if key not in _FLAGS:
        raise ValueError(f"{what} must be 0 or 1, got {shown(value)}")
    return _FLAGS[key]


def image_size(entry: Mapping[str, Any]) -> tuple[int, int]:
    """`width` and `height` of an image entry, pixels."""
    size = whole(entry["width"], "width"), whole(entry["height"], "height")
    if not all(1 <= side <= _MOST_PIXELS for side in size):
        raise ValueError(f"an image of {size[0]} x {size[1]} pixels")
    return size


def pixels(value: object, what: str) -> float:
    """A coordinate or a length."""
    found = number(value, what)
    if abs(found) > _MOST_PIXELS:
        raise ValueError(f"{what} {shown(value)} is beyond any image")
    return found


def box_numbers(xywh: object, what: str = "bbox") -> tuple[float, float, float, float]:
    """x, y, width, height in pixels."""
    if not isinstance(xywh, (list, tuple)) or len(xywh) != 4:
        raise ValueError(f"{what} {shown(xywh)} is no x, y, width, height")
    x, y, w, h = (pixels(value, f"each of {what}") for value in xywh)
    return x, y, w, h


def box_inside(xywh: object, width: int, height: int, what: str = "bbox") -> Box | None:
    """The part of a box that lies inside the image; None when it has no area."""
    x, y, w, h = box_numbers(xywh, what)
    x0, y0 = min(max(x, 0.0), width), min(max(y, 0.0), height)
    x1, y1 = min(max(x + w, 0.0), width), min(max(y + h, 0.0), height)
    return Box(x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None
