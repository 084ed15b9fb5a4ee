"""What a table of results says: its rows and columns, printed numbers, and who measures them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seal.evaluation.named_tasks import TASK_NAMES
from seal.evaluation.tables.filled_table import (
    MEASURED,
    MINIATURE,
    Cells,
    Column,
    FilledTable,
    Line,
    fill,
)
from seal.evaluation.tables.measured import Cell, demo_cell, run_cell
from seal.pages.forest import PUBLISHED
from seal.text.quote import quoted

_TAKEN = (MEASURED, PUBLISHED, MINIATURE)  # what groups cannot be called


@dataclass(kw_only=True, slots=True)
class ColumnConfig:
    """One number of every row."""

    # Where it stands in metrics.json; {system} is the row's, {main} the task's main metric.
    path: str
    task: str = ""  # {task} in a row's run and command; of a benchmark, whose numbers these are
    command: str = ""  # what measures it, where the table's does not
    n: int | None = None  # items behind the printed shares: their interval is known then
    scale: float | None = None  # other than the table's
    digits: int | None = None


@dataclass(kw_only=True, slots=True)
class RowConfig:
    """One row of a table."""

    published: dict[str, float] = field(default_factory=dict)  # column -> number, as printed
    run: str | None = None  # folder of the run that measures it; None: not one of ours
    system: str = ""  # which system or strategy of that run
    miniature: str = ""  # RUN:SYSTEM among the results of a demo; empty: not shown there
    command: str = ""  # what measures it, where its columns' or the table's does not
    note: str = ""  # what to know of its printed numbers


@dataclass(kw_only=True, slots=True)
class TableConfig:
    """One table of a paper, or one of our own."""

    title: str
    source: str  # where the printed numbers are from
    columns: dict[str, ColumnConfig]
    rows: dict[str, RowConfig]
    scale: float = 100.0  # from a stored number to a printed one
    digits: int = 2
    # What measures a row: {experiment} is the last part of its run, {task} the column's.
    command: str = "seal eval/benchmark experiment={experiment}"
    note: str = ""
    picture: str = ""  # the column that a page draws

    def __post_init__(self) -> None:
        if self.picture and self.picture not in self.columns:
            raise ValueError(
                f"picture={self.picture} names no column; there are {', '.join(self.columns)}"
            )
        _check_form("command", self.command, "experiment", "task")
        for name, column in self.columns.items():
            _check_form(f"columns.{name}.path", column.path, "system", "main")
            _check_form(f"columns.{name}.command", column.command, "experiment", "task")
        for name, row in self.rows.items():
            unknown = sorted({*row.published} - {*self.columns})
            if unknown:
                raise ValueError(
                    f"rows.{name}.published.{unknown[0]} names no column; there are "
                    f"{', '.join(self.columns)}"
                )
            _check_form(f"rows.{name}.run", row.run or "", "task")
            _check_form(f"rows.{name}.command", row.command, "experiment", "task")
            if row.miniature and not all(row.miniature.partition(":")):
                raise ValueError(f"rows.{name}.miniature={row.miniature!r} is not RUN:SYSTEM")

    def build(
        self, *, groups: Mapping[str, str] | None = None, miniature: str | None = None
    ) -> FilledTable:
        """The table; what was not run or not published leaves its cell empty.

        Where no row is one of ours there is nothing but what is printed.

        Args:
            groups: name -> folder of other runs of the same names (of another model, say), which
                get columns of their own.
            miniature: folder of a demo, whose results get columns of their own.

        Raises:
            ValueError: a folder that is named here is not there, or a metrics.json is damaged.
        """
        cells = {"": self._measured(None)} if any(row.run for row in self.rows.values()) else {}
        for name, folder in (groups or {}).items():
            if name in _TAKEN:
                raise ValueError(f"groups.{name}: {', '.join(_TAKEN)} are columns of other numbers")
            if not Path(folder).is_dir():
                raise ValueError(f"groups.{name}={quoted(folder)} is no folder of runs")
            if cells:
                cells[name] = self._measured(Path(folder))
        if miniature is not None and any(row.miniature for row in self.rows.values()):
            cells[MINIATURE] = {
                name: {
                    column: demo_cell(Path(miniature), row.miniature, of.path)
                    for column, of in self.columns.items()
                }
                for name, row in self.rows.items()
            }
        columns = {
            name: Column(
                self.scale if of.scale is None else of.scale,
                self.digits if of.digits is None else of.digits,
                of.n,
                ".difference" in of.path,
            )
            for name, of in self.columns.items()
        }
        lines = {name: Line(row.published, row.note) for name, row in self.rows.items()}
        about = [f"Published: {self.source}.", *filter(None, [self.note])]
        return fill(self.title, columns, lines, cells, about, drawn=self.picture)

    def _measured(self, folder: Path | None) -> Cells:
        return {
            name: {column: self._cell(row, column, folder) for column in self.columns}
            for name, row in self.rows.items()
        }

    def command_of(self, row: str, column: str) -> str | None:
        """What measures that cell; None: no run of ours does."""
        return self._command(self.rows[row], self.columns[column])

    def _command(self, row: RowConfig, of: ColumnConfig) -> str | None:
        if row.run is None:
            return None
        experiment = Path(row.run.format(task=of.task)).name
        form = row.command or of.command or self.command
        return form.format(experiment=experiment, task=of.task)

    def _cell(self, row: RowConfig, column: str, folder: Path | None) -> Cell:
        of = self.columns[column]
        command = self._command(row, of)
        if row.run is None or command is None:
            return Cell()
        run = Path(row.run.format(task=of.task))
        if folder is not None:
            command = command.replace(f"{run.parent}/", f"{folder}/")
            run = folder / run.name
            command += "" if " out=" in command.rpartition("&&")[2] else f" out={run}"
        return run_cell(run, row.system, of.path, command, of.task if of.task in TASK_NAMES else "")


def _check_form(key: str, form: str, *names: str) -> None:
    """Raises a ValueError for a text that names something else in braces."""
    try:
        form.format(**dict.fromkeys(names, ""))
    except (LookupError, AttributeError, ValueError) as error:
        known = " and ".join(f"{{{name}}}" for name in names)
        raise ValueError(f"{key}={quoted(form)}: only {known} are filled in") from error
