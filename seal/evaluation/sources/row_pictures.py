"""Which rows of a small table show one picture, where only the pictures themselves tell."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from seal.evaluation.benchmark_images import BytesImages
from seal.evaluation.sources.pictures import picture_bytes, row_images
from seal.evaluation.sources.rows import Rows


def shared_pictures(
    rows: Rows, names: Sequence[str], column: str = "image"
) -> tuple[list[str], BytesImages]:
    """What the picture of each row is called, and the pictures: equal bytes have one name, that of
    the first row. Reads every picture once, so it is for a few hundred.

    names: of the rows, each its own.
    """
    firsts: dict[bytes, str] = {}
    shown: list[str] = []
    cells: dict[str, tuple[int, str]] = {}
    for index, name in enumerate(names):
        content = picture_bytes(rows[index].get(column), rows.where(index), column)
        first = firsts.setdefault(hashlib.sha256(content).digest(), name)
        shown.append(first)
        cells.setdefault(first, (index, column))
    return shown, row_images(rows, cells)
