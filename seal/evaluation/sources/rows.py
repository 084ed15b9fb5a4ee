"""Rows of a table that know where they stand, and leave their large cells where they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

# A row by column. Cells that are no text are None, numbers or bytes as the file has them; a large
# cell is read from the disk each time it is asked for.
Row: TypeAlias = Mapping[str, Any]


class Rows(ABC):
    """A sequence of rows. Reading it reads no picture."""

    name: str  # the file, folder or hub id, for messages
    columns: tuple[str, ...]

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Row: ...

    def __iter__(self) -> Iterator[Row]:
        return (self[index] for index in range(len(self)))

    @abstractmethod
    def where(self, index: int) -> str:
        """File and line, or file and row, for messages."""

    def size(self, index: int, column: str) -> int | None:
        """Bytes or characters of a cell, 0 for an empty one; None: only reading it would tell."""
        return None

    def need(self, *columns: str) -> None:
        """Refuse a table without these columns.

        Raises:
            ValueError: names what is missing and what is there.
        """
        if missing := [column for column in columns if column not in self.columns]:
            there = ", ".join(self.columns)
            raise ValueError(f"{self.name} lacks the column {', '.join(missing)}; it has {there}")


class ListedRows(Rows):
    """Rows that are in memory whole, each with its place in the file."""

    def __init__(self, name: str, rows: Sequence[Row], places: Sequence[str]) -> None:
        """places: of every row, behind the name: ":12" or ": row 12"."""
        assert len(rows) == len(places)
        self.name = name
        self._rows = rows
        self._places = places
        self.columns = tuple(dict.fromkeys(key for row in rows for key in row))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Row:
        return self._rows[index]

    def where(self, index: int) -> str:
        return f"{self.name}{self._places[index]}"

    def size(self, index: int, column: str) -> int:
        value = self._rows[index].get(column)
        return len(value) if isinstance(value, str | bytes) else 0


class LazyRow(Mapping[str, Any]):
    """A row whose cells are read when they are asked for."""

    __slots__ = ("_columns", "_read")

    def __init__(self, columns: Sequence[str], read: Callable[[str], Any]) -> None:
        self._columns = columns
        self._read = read

    def __getitem__(self, column: str) -> Any:
        if column not in self._columns:
            raise KeyError(column)
        return self._read(column)

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)
