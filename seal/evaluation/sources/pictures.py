"""The pictures in the cells of a table, however they are held; they stay there until wanted."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from seal.evaluation.benchmark_images import BytesImages
from seal.evaluation.sources.rows import Rows
from seal.text.quote import quoted

_DATA_ADDRESS = "data:image/"


def row_images(rows: Rows, cells: Mapping[str, tuple[int, str]]) -> BytesImages:
    """Pictures by name; `cells` says in which row and column each stands."""
    return BytesImages(
        rows.name,
        {name: partial(_of_cell, rows, row, column) for name, (row, column) in cells.items()},
    )


def _of_cell(rows: Rows, row: int, column: str) -> bytes:
    return picture_bytes(rows[row].get(column), rows.where(row), column)


def picture_bytes(value: Any, where: str, column: str = "image") -> bytes:
    """Bytes of an image file from base64, from bytes, or from {"bytes", "path"} as `datasets` has.

    Nothing is decoded but base64. A list of one picture is that picture.

    Raises:
        ValueError: the cell is empty or holds none of these; names the place and the column.
    """
    if isinstance(value, list) and len(value) == 1:
        return picture_bytes(value[0], where, column)
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
    told = "nothing" if value in (None, "", b"", []) else quoted(value)
    raise ValueError(f"{where}: {column} holds {told}: expected a picture, as base64 or bytes")


def _from_base64(text: str, where: str, column: str) -> bytes:
    code = text.partition(",")[2] if text.startswith(_DATA_ADDRESS) else text
    try:
        return base64.b64decode("".join(code.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{where}: {column}={quoted(text)} is no base64: {error}") from error
