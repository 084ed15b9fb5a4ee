"""The bytes of a picture, however a cell of a table holds them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seal.text.quote import quoted

_DATA_ADDRESS = "data:image/"


def picture_bytes(value: Any, where: str, column: str = "image") -> bytes:
    """Bytes of an image file from base64, from bytes, or from {"bytes", "path"} as `datasets` has.

    Nothing is decoded but base64.

    Raises:
        ValueError: the cell is empty or holds none of these; names the place and the column.
    """
    if isinstance(value, bytes) and value:
        return value
    if isinstance(value, str) and value.strip():
        return _from_base64(value, where, column)
    if isinstance(value, Mapping) and value.keys() >= {"bytes", "path"}:
        if value["bytes"]:
            return picture_bytes(value["bytes"], where, column)
        path = value["path"]
        if isinstance(path, str) and Path(path).is_file():
            return Path(path).read_bytes()
        raise ValueError(f"{where}: {column} names {quoted(path)}, which is not here")
    told = "nothing" if value in (None, "", b"") else quoted(value)
    raise ValueError(f"{where}: {column} holds {told}: expected a picture, as base64 or bytes")


def _from_base64(text: str, where: str, column: str) -> bytes:
    code = text.partition(",")[2] if text.startswith(_DATA_ADDRESS) else text
    try:
        return base64.b64decode("".join(code.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{where}: {column}={quoted(text)} is no base64: {error}") from error
