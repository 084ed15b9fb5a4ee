"""The bytes of a request as a JSON object; everything that is none is refused in a line."""

from __future__ import annotations

import json
from typing import Any

from seal.serving.errors import bad

DEEPEST = 32  # levels of lists and objects inside one another


def read_json(body: bytes | bytearray) -> dict[str, Any]:
    """The object.

    Raises:
        RequestError: it is no UTF-8, no JSON, no object, or too deep; NaN and infinities are not
            JSON either.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad(f"the body is not UTF-8 (byte {error.start})") from None
    try:
        value = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise bad(f"the body is nested more than {DEEPEST} levels deep") from None
    except ValueError as error:
        raise bad(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise bad('the body is no JSON object: send {"model": ..., "messages": [...]}')
    _check_depth(value)
    return value


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise bad(f"the body is nested more than {DEEPEST} levels deep")
