"""The pictures of a table's rows: one a row, or one where several rows show the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from seal.evaluation.benchmark_images import BytesImages
from seal.evaluation.sources.pictures import picture_bytes, row_images
from seal.evaluation.sources.rows import Rows


def pictures_of_rows(rows: Rows, names: Sequence[str], column: str = "image") -> BytesImages:
    """The picture in `column` of each row, under the name of the row's place in `names`.

    Raises:
        ValueError: two rows have one name.
    """
    places: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in places:
            raise ValueError(
                f"{rows.where(index)} is called {name}, as is {rows.where(places[name])}: which "
                "one is meant?"
            )
        places[name] = index
    return row_images(rows, {name: (index, column) for name, index in places.items()})


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
