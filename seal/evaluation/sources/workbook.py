"""Read and write the tables of .xlsx files: values only, nothing is computed."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seal.evaluation.sources.rows import ListedRows
from seal.text.quote import quoted

LONGEST_CELL = 32_767  # characters that a cell of the format can hold


def read_workbook(path: Path) -> ListedRows:
    """The rows of a workbook's only sheet that is not empty; its first row names the columns.

    An empty cell is None. A formula is refused: programs that write tables turn a text that begins
    with "=" into one, whose stored result is another value.

    Raises:
        ValueError: no workbook, several sheets with rows, no header or no rows, two columns of one
            name, a cell that holds a formula, an error or a date, or a value outside the header's
            columns. Names the file and the cell.
    """
    sheets = [(name, rows) for name, rows in _sheets(path) if rows]
    if len(sheets) != 1:
        said = f"sheets {', '.join(name for name, _ in sheets)}" if sheets else "nothing"
        raise ValueError(f"{path} holds {said}: expected one sheet with a table")
    (_, header), *rows = sheets[0][1]
    columns = _columns(path, header)
    if not rows:
        raise ValueError(f"{path} has a header and no rows: {quoted(', '.join(columns))}")
    read = []
    for number, cells in rows:
        values = [_value(path, cell) for cell in cells]
        if any(value is not None for value in values[len(columns) :]):
            raise ValueError(f"{path}: row {number} has a cell behind the last named column")
        values += [None] * (len(columns) - len(values))
        read.append(dict(zip(columns, values, strict=False)))
    return ListedRows(str(path), read, [f": row {number}" for number, _ in rows])


def write_workbook(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A workbook of one sheet. Texts stay texts: none becomes a formula.

    Raises:
        ValueError: a text is longer than the format holds, or has a character that it cannot.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    whole = [list(row) for row in rows]
    for number, row in enumerate(whole, start=2):  # before anything is written
        for column, value in zip(columns, row, strict=True):
            if isinstance(value, str):
                _check_text(f"{path}: row {number}", column, value)
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(list(columns))
    for row in whole:
        cells = [WriteOnlyCell(sheet, value) for value in row]
        for cell in cells:
            if isinstance(cell.value, str):
                cell.data_type = "s"
        sheet.append(cells)
    book.save(path)


def _check_text(where: str, column: str, text: str) -> None:
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if len(text) > LONGEST_CELL:
        raise ValueError(
            f"{where}: {column} has {len(text):,} characters, a cell of a workbook holds "
            f"{LONGEST_CELL:,}; write a .tsv"
        )
    if ILLEGAL_CHARACTERS_RE.search(text):
        raise ValueError(
            f"{where}: {column}={quoted(text)} has a character that no workbook holds; write a .tsv"
        )


def _sheets(path: Path) -> list[tuple[str, list[tuple[int, list[Any]]]]]:
    """Name and rows, numbered from 1 and without the empty ones, of every sheet."""
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    broken = (InvalidFileException, OSError, KeyError, ValueError, TypeError, AttributeError)
    try:
        book = load_workbook(path, read_only=True, data_only=False)
    except Exception as error:  # a broken archive or broken XML: openpyxl lets any of them through
        raise ValueError(f"{path} is no workbook that can be read: {_line(error)}") from error
    try:
        found = []
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # some programs write wrong ones
            rows = [
                (number, list(cells))
                for number, cells in enumerate(sheet.iter_rows(), start=1)
                if any(cell.value is not None for cell in cells)
            ]
            found.append((sheet.title, rows))
        return found
    except broken as error:
        raise ValueError(f"{path} is no workbook that can be read: {_line(error)}") from error
    finally:
        book.close()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _columns(path: Path, header: Sequence[Any]) -> list[str]:
    columns: list[str] = []
    for at, cell in enumerate(header):
        name = f"Unnamed: {at}" if cell.value is None else str(_value(path, cell))
        if name in columns:
            raise ValueError(f"{path}: two columns are called {quoted(name)}")
        columns.append(name)
    return columns


def _value(path: Path, cell: Any) -> Any:
    value = cell.value
    if value is None:
        return None
    if cell.data_type == "f":
        raise ValueError(
            f"{path}: {cell.coordinate} holds a formula, {quoted(str(value))}: store the text or "
            "the number itself"
        )
    if cell.data_type == "e":
        raise ValueError(f"{path}: {cell.coordinate} holds an error, {quoted(str(value))}")
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        raise ValueError(
            f"{path}: {cell.coordinate} holds a date or time, {value}: store it as a text"
        )
    return value
