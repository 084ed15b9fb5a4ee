"""Put measured numbers beside printed ones: cells, footnotes, differences, what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from seal.evaluation.results.result_tables import scaled
from seal.evaluation.tables.measured import Cell, told_of
from seal.metrics.unpaired import difference_from
from seal.pages.forest import PUBLISHED, Mark
from seal.pages.table import Table

MEASURED = "measured"  # what a picture calls our own runs, which have no name in the table
MINIATURE = "miniature"  # a world of its own: nothing printed is compared with it
_ABOUT_MINIATURE = (
    "The miniature has questions and models of its own: compare it with itself, not with what is "
    "printed."
)
Cells: TypeAlias = dict[str, dict[str, Cell]]  # row -> column -> what was measured


@dataclass(frozen=True, slots=True)
class Column:
    """How the numbers of a column are written."""

    scale: float  # from a stored number to a printed one
    digits: int
    n: int | None  # items behind the printed shares; None: unknown, or no shares
    sign: bool = False  # of differences, which may be below 0


@dataclass(frozen=True, slots=True)
class Line:
    """What is printed in a row."""

    published: Mapping[str, float]  # column -> number, as printed
    note: str


@dataclass(frozen=True, slots=True)
class FilledTable:
    """A table with its numbers, what would fill its empty cells, and the runs it shows."""

    table: Table
    missing: tuple[str, ...] = ()  # commands
    runs: tuple[Path, ...] = ()  # folders of results
    marks: tuple[Mark, ...] = ()  # the numbers of one column, to be drawn
    drawn: str = ""  # that column


def fill(
    title: str,
    columns: Mapping[str, Column],
    lines: Mapping[str, Line],
    cells: Mapping[str, Cells],
    about: Sequence[str],
    *,
    drawn: str = "",
) -> FilledTable:
    """The table. Every column has its measured cell, and if anything is printed in it, that and
    the difference; then the measured cells of the other groups. Without the first group there are
    the printed numbers alone.

    Args:
        cells: group -> row -> column -> what was measured; the first group's name is "".
        about: notes on the whole table.
        drawn: a column whose numbers are kept for a picture.
    """
    printed = {column for line in lines.values() for column in line.published}
    notes = _Notes()
    head, rows = ["system"], []
    for column in columns:
        head += [column] if "" not in cells else []
        for group in cells:
            head.append(_title(column, group))
            if column in printed and group != MINIATURE:
                head += [*(["published"] if not group else []), _title("difference", group)]
    for name, line in lines.items():
        row = [f"{name}{notes.mark(line.note)}"]
        for column, of in columns.items():
            number = line.published.get(column)
            row += [_printed(number, of)] if "" not in cells else []
            for group, by_row in cells.items():
                cell = by_row[name][column]
                row.append(_measured(cell, of) + notes.mark(_told(cell, by_row[name].values())))
                if column in printed and group != MINIATURE:
                    row += [_printed(number, of)] if not group else []
                    row.append(_difference(cell, number, of))
        rows.append(tuple(row))
    below = [*notes.lines, *about, *_about_differences(columns, lines, cells)]
    if MINIATURE in cells:
        below.append(_ABOUT_MINIATURE)
    every = [cell for by_row in cells.values() for row in by_row.values() for cell in row.values()]
    return FilledTable(
        Table(title, tuple(head), tuple(rows), tuple(below)),
        tuple(dict.fromkeys(cell.command for cell in every if cell.command)),
        tuple(dict.fromkeys(cell.folder for cell in every if cell.folder is not None)),
        tuple(_marks(drawn, columns[drawn], lines, cells)) if drawn else (),
        drawn,
    )


def _marks(
    column: str, of: Column, lines: Mapping[str, Line], cells: Mapping[str, Cells]
) -> Iterator[Mark]:
    for name, line in lines.items():
        if column in line.published:
            yield Mark(name, PUBLISHED, line.published[column])
        for group, by_row in cells.items():
            metric = by_row[name][column].metric
            if metric is None or metric["value"] is None:
                continue
            low, high = metric["low"], metric["high"]
            yield Mark(
                name,
                group or MEASURED,
                metric["value"] * of.scale,
                None if low is None else low * of.scale,
                None if high is None else high * of.scale,
            )


class _Notes:
    """Footnotes in the order in which cells refer to them; the same text is one note."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, note: str) -> str:
        if not note:
            return ""
        return f" ({self._numbers.setdefault(note, len(self._numbers) + 1)})"

    @property
    def lines(self) -> list[str]:
        return [f"({number}) {note}" for note, number in self._numbers.items()]


def _title(what: str, group: str) -> str:
    return f"{what}, {group}" if group else what


def _told(cell: Cell, row: Iterable[Cell]) -> str:
    """What a cell shares with those of the same run in its row is told once."""
    if cell.metric is None:
        return ""
    return told_of(other for other in row if other.folder == cell.folder)


def _measured(cell: Cell, column: Column) -> str:
    return scaled(cell.metric, column.scale, column.digits, sign=column.sign)


def _printed(number: float | None, column: Column) -> str:
    return "" if number is None else f"{number:.{column.digits}f}"


def _difference(cell: Cell, number: float | None, column: Column) -> str:
    if number is None or cell.metric is None or cell.metric["value"] is None:
        return ""
    value, low, high = difference_from(cell.metric, number / column.scale, n=column.n)
    metric = {"value": value, "low": low, "high": high}
    return scaled(metric, column.scale, column.digits, sign=True)


def _about_differences(
    columns: Mapping[str, Column], lines: Mapping[str, Line], cells: Mapping[str, Cells]
) -> list[str]:
    """How the differences that are shown were made."""
    shown = {
        column
        for group, by_row in cells.items()
        if group != MINIATURE
        for name, line in lines.items()
        for column in line.published
        if by_row[name][column].metric is not None
    }
    if not shown:
        return []
    known = [f"{name} {of.n}" for name, of in columns.items() if name in shown and of.n]
    told = "Difference: measured minus published, not paired"
    if known:
        told += (
            f"; its interval knows how many items are behind what is printed ({', '.join(known)})"
        )
    if any(columns[name].n is None for name in shown):
        told += "; " + ("elsewhere " if known else "") + "what is printed is taken as exact"
    return [f"{told}."]
