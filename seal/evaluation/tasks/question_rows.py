"""Rows of questions, one by one: what each must have, ids that are unique, pictures in a column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from seal.evaluation.benchmark_images import BytesImages
from seal.evaluation.sources.pictures import picture_bytes
from seal.evaluation.sources.rows import Rows
from seal.evaluation.tasks.entries import Entry
from seal.text.quote import quoted


def entries_of(rows: Rows, keys: Sequence[str]) -> Iterator[Entry]:
    """Every row as an entry that has `keys`.

    Raises:
        ValueError: a row lacks one.
    """
    for index in range(len(rows)):
        row = rows[index]
        if missing := [key for key in keys if key not in row]:
            there = ", ".join(row) or "nothing"
            raise ValueError(f"{rows.where(index)} lacks {', '.join(missing)}; it has {there}")
        yield Entry(rows.where(index), row)


def number_or_text(entry: Entry, key: str) -> str:
    """An id, which is a number in some files and a text in others.

    Raises:
        ValueError: it is neither, or blank.
    """
    value = entry.content[key]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return entry.text(key).strip()


def whole_number(entry: Entry, key: str) -> int:
    """A number, such as that of an image, which some files hold as text.

    Raises:
        ValueError: it is none, or below 0.
    """
    text = number_or_text(entry, key)
    if not (text.isascii() and text.isdigit()):
        raise entry.wrong(key, entry.content[key], "a whole number")
    return int(text)


class Unique:
    """Ids of a benchmark; a second question of the same one is refused."""

    def __init__(self) -> None:
        self._seen: dict[str, Path | str] = {}

    def take(self, entry: Entry, name: str) -> str:
        """
        Raises:
            ValueError: another row has the name.
        """
        if name in self._seen:
            raise ValueError(
                f"{entry.where}: {quoted(name)} is the id of {self._seen[name]} already"
            )
        self._seen[name] = entry.where
        return name


def column_images(rows: Rows, places: Mapping[str, int], column: str = "image") -> BytesImages:
    """Pictures by name out of a column. places: name -> the row that has it."""

    def reader(index: int) -> Callable[[], bytes]:
        return lambda: picture_bytes(rows[index][column], rows.where(index), column)

    return BytesImages(rows.name, {name: reader(index) for name, index in places.items()})
