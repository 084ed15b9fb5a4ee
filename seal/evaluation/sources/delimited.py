"""Read tables of text, TSV or CSV, whose cells may hold pictures of tens of megabytes.

The file is passed over once; short cells are kept, of long ones the place is. The rules are those
of RFC 4180, which `pandas.to_csv` follows and VLMEvalKit's tables are written with: a cell that
begins with a quotation mark ends at the next one that stands alone, a doubled one means one, and
may hold delimiters and line breaks; elsewhere a quotation mark is a character like others.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from seal.evaluation.sources.rows import LazyRow, Row, Rows
from seal.files.plain_text import not_utf8, opened
from seal.text.quote import quoted

LONG_CELL = 4096  # bytes; a longer cell stays on the disk
_FORGET = 64 << 20  # bytes passed over until the system is told that they are not needed
_QUOTE = 0x22


class _Place(NamedTuple):
    """A cell of the file: bytes `start` to `end` without the marks around it."""

    start: int
    end: int
    doubled: bool  # a mark inside is written twice


_Cell: TypeAlias = "str | _Place | None"


class DelimitedRows(Rows):
    """The rows behind the header, as texts; an empty cell is None."""

    def __init__(
        self, path: Path, columns: tuple[str, ...], cells: list[list[_Cell]], lines: list[int]
    ) -> None:
        self.name = str(path)
        self.columns = columns
        self._path = path
        self._cells = cells
        self._lines = lines
        self._at = {column: at for at, column in enumerate(columns)}

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, index: int) -> Row:
        cells = self._cells[index]
        return LazyRow(self.columns, lambda column: self._value(index, cells[self._at[column]]))

    def where(self, index: int) -> str:
        return f"{self._path}:{self._lines[index]}"

    def size(self, index: int, column: str) -> int:
        cell = self._cells[index][self._at[column]]
        return cell.end - cell.start if isinstance(cell, _Place) else len(cell or "")

    def _value(self, index: int, cell: _Cell) -> str | None:
        if not isinstance(cell, _Place):
            return cell
        with opened(self._path) as file:
            file.seek(cell.start)
            raw = file.read(cell.end - cell.start)
        if len(raw) != cell.end - cell.start:
            raise ValueError(f"{self.where(index)}: the file has become shorter; read it again")
        return _text(raw, cell.doubled, self.where(index))


def read_delimited(path: Path, delimiter: str | None = None) -> DelimitedRows:
    """The rows of a .tsv, or .csv, whose first line names the columns; blank lines are passed over.

    delimiter: None: a comma in .csv, a tab elsewhere. A column without a name, as an index has
    that pandas wrote, is called "Unnamed: 0" with its number, as pandas calls it.

    Raises:
        ValueError: the file cannot be read, is no text in UTF-8 or has no rows; a row has fewer or
            more cells than the header; a quotation mark is never closed, or closed inside a cell.
            Names the file and the line.
    """
    mark = delimiter or ("," if path.suffix.lower() == ".csv" else "\t")
    with opened(path) as file:
        begin = file.tell()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            rows = _Scanner(data, begin, mark.encode(), path).rows()
            line, first = next(rows, (1, []))
            columns = _columns(path, line, first)
            cells: list[list[_Cell]] = []
            lines: list[int] = []
            for line, row in rows:
                if len(row) != len(columns):
                    raise ValueError(
                        f"{path}:{line}: {len(row)} cells, but the header has {len(columns)} "
                        f"({', '.join(columns)}); is the file complete?"
                    )
                cells.append(row)
                lines.append(line)
    if not cells:
        raise ValueError(f"{path} has a header and no rows: {quoted(', '.join(columns))}")
    return DelimitedRows(path, columns, cells, lines)


def _columns(path: Path, line: int, cells: list[_Cell]) -> tuple[str, ...]:
    names: list[str] = []
    for at, cell in enumerate(cells):
        if isinstance(cell, _Place):
            raise ValueError(f"{path}:{line}: a name of {cell.end - cell.start} bytes is no header")
        name = cell or f"Unnamed: {at}"
        if name in names:
            raise ValueError(f"{path}:{line}: two columns are called {quoted(name)}")
        names.append(name)
    if not names:
        raise ValueError(f"{path} has no header")
    return tuple(names)


class _Scanner:
    """Passes over a file once, cell by cell."""

    def __init__(self, data: mmap.mmap, begin: int, delimiter: bytes, path: Path) -> None:
        self._data = data
        self._at = begin
        self._delimiter = delimiter
        self._path = path
        self._line = 1
        self._size = len(data)
        self._forgotten = 0
        # Where the next of each stands, from `_at` on: every byte is searched once for each.
        self._next = {delimiter: -1, b"\n": -1}

    def rows(self) -> Iterator[tuple[int, list[_Cell]]]:
        """Line number and cells of every row that is not blank."""
        while self._at < self._size:
            line = self._line
            row = self._row()
            if row != [None]:
                yield line, row

    def _row(self) -> list[_Cell]:
        cells: list[_Cell] = []
        while True:
            is_quoted = self._at < self._size and self._data[self._at] == _QUOTE
            cells.append(self._quoted() if is_quoted else self._plain())
            if self._at - self._forgotten > _FORGET:
                self._forget()
            if self._at >= self._size:  # the last line may lack its end
                return cells
            ended = self._data[self._at : self._at + 1] == b"\n"
            self._at += 1
            if ended:
                self._line += 1
                return cells

    def _plain(self) -> _Cell:
        start = self._at
        newline = self._find(b"\n")
        end = min(self._find(self._delimiter), newline)
        self._at = end
        if end == newline and end > start and self._data[end - 1 : end] == b"\r":
            end -= 1
        return self._cell(start, end, doubled=False)

    def _quoted(self) -> _Cell:
        start = end = self._at + 1
        doubled = False
        while True:
            end = self._data.find(b'"', end)
            if end < 0:
                raise ValueError(
                    f"{self._path}:{self._line}: a quotation mark opens a cell and none closes it; "
                    "is the file complete?"
                )
            if self._data[end + 1 : end + 2] != b'"':
                break
            doubled = True
            end += 2
        line = self._line
        self._line += _count(self._data, start, end)
        self._at = end + 1
        if self._data[self._at : self._at + 2] == b"\r\n":
            self._at += 1
        behind = self._data[self._at : self._at + 1]
        if behind not in (b"", b"\n", self._delimiter):
            raise ValueError(
                f"{self._path}:{line}: a quotation mark closes inside a cell, before "
                f"{quoted(self._data[end + 1 : end + 21].decode('utf-8', 'replace'))}; inside "
                "quotation marks it is written twice"
            )
        return self._cell(start, end, doubled=doubled)

    def _cell(self, start: int, end: int, *, doubled: bool) -> _Cell:
        if end - start > LONG_CELL:
            return _Place(start, end, doubled)
        where = f"{self._path}:{self._line}"
        return _text(self._data[start:end], doubled, where) or None

    def _find(self, mark: bytes) -> int:
        found = self._next[mark]
        if found < self._at:
            found = self._data.find(mark, self._at)
            self._next[mark] = found = self._size if found < 0 else found
        return found

    def _forget(self) -> None:
        """Pages that were passed over are no longer needed: memory stays bounded."""
        end = self._at // mmap.PAGESIZE * mmap.PAGESIZE
        if hasattr(mmap, "MADV_DONTNEED"):
            self._data.madvise(mmap.MADV_DONTNEED, self._forgotten, end - self._forgotten)
        self._forgotten = end


def _count(data: mmap.mmap, start: int, end: int) -> int:
    """Line breaks of a stretch."""
    found, at = 0, data.find(b"\n", start, end)
    while at >= 0:
        found, at = found + 1, data.find(b"\n", at + 1, end)
    return found


def _text(raw: bytes, doubled: bool, where: str) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{where}: {not_utf8(error)}") from error
    return text.replace('""', '"') if doubled else text


def is_delimited(path: Path) -> bool:
    """Whether a file's name says that it is such a table."""
    return path.suffix.lower() in (".tsv", ".csv")


def delimited_line(cells: list[Any], delimiter: str = "\t") -> str:
    """Cells as one line of such a table, its end included; None is an empty cell."""
    return delimiter.join(_written(cell, delimiter) for cell in cells) + "\n"


def _written(cell: Any, delimiter: str) -> str:
    text = "" if cell is None else str(cell)
    if any(mark in text for mark in (delimiter, '"', "\n", "\r")):
        return '"' + text.replace('"', '""') + '"'
    return text
