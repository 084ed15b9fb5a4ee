"""The pictures of a table's rows, each read when it is looked at."""

from __future__ import annotations

from collections.abc import Sequence

from seal.evaluation.benchmark_images import BytesImages
from seal.evaluation.sources.pictures import picture_bytes
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

    def read(index: int) -> bytes:
        return picture_bytes(rows[index].get(column), rows.where(index), column)

    return BytesImages(rows.name, {n: lambda i=i: read(i) for n, i in places.items()})  # type: ignore[misc]
