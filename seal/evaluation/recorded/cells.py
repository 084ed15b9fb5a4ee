"""Read one field of an answer row: a text, losses, a name; what it is not is said with its row."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from seal.text.quote import quoted

_MOST_OPTIONS = 1000  # a larger number is no place of an option


def text_of(content: Mapping[str, Any], key: str, where: str) -> str | None:
    """What was said; None where the cell is empty. A number is the text that a program meant.

    Raises:
        ValueError: something else than a text or a number, or half of a character.
    """
    value = content.get(key)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return name_of(value)
    if not isinstance(value, str):
        raise ValueError(f"{where}: {key}={quoted(value)}: expected a text")
    try:
        value.encode()
    except UnicodeEncodeError:  # no file takes it
        raise ValueError(f"{where}: {key}={ascii(value)[:80]}: half of a character") from None
    return value


def name_of(value: object) -> str:
    """A name as text: spreadsheets make 12.0 of the number 12."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def names_of(content: Mapping[str, Any], keys: Sequence[str], where: str) -> list[str]:
    """The names of a question under those of the keys that are there and not empty.

    Raises:
        ValueError: one that is neither a text nor a number.
    """
    found = []
    for key in keys:
        value = content.get(key)
        if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
            continue
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"{where}: {key}={quoted(value)}: expected a number or a text")
        found.append(name_of(value).strip())
    return found


def losses_of(content: Mapping[str, Any], key: str, where: str) -> tuple[float, ...] | None:
    """The losses of the options; NaN where one is missing. None: there is no list at all.

    A cell of a table holds the list as JSON.

    Raises:
        ValueError: no list of numbers.
    """
    value = content.get(key)
    if isinstance(value, str) and value.strip():
        with suppress(ValueError, RecursionError):  # no list, which is said below
            value = json.loads(value)
    if value is None or value == "" or value != value:
        return None
    if not isinstance(value, list) or not value:
        raise ValueError(f"{where}: {key}={quoted(value)}: expected a list of numbers")
    return tuple(_loss(number, key, where) for number in value)


def _loss(value: object, key: str, where: str) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where}: {key} holds {quoted(value)}: expected numbers")
    try:
        return float(value)
    except OverflowError:  # a whole number beyond a float: no more a loss than infinity is
        return math.inf


def index_of(value: object, key: str, where: str, *, most: int | None = _MOST_OPTIONS) -> int:
    """A place, from 0 and below `most`; of an option if nothing else is said.

    Raises:
        ValueError: no such whole number.
    """
    if isinstance(value, float) and value.is_integer():  # of a spreadsheet
        value = int(value)
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit():
        value = int(value.strip()[:10])  # of a table
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or value < 0 or (most is not None and value >= most):  # type: ignore[operator]
        raise ValueError(f"{where}: {key}={quoted(value)}: expected a place, counted from 0")
    assert isinstance(value, int)
    return value
