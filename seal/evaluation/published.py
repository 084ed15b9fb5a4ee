"""What eval/tables is told: the rows and columns of a table, printed numbers beside runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seal.evaluation.named_tasks import task_named
from seal.evaluation.result_tables import published_table
from seal.evaluation.run import paired_splits
from seal.evaluation.store import METRICS, read_predictions
from seal.evaluation.task import Prediction, Task
from seal.pages.table import Table

FORMATS = ("markdown", "latex")


@dataclass(kw_only=True, slots=True)
class RowConfig:
    """One row of a table."""

    published: dict[str, float] = field(default_factory=dict)  # column -> number, as printed
    run: str | None = None  # folder of the run that measures it; None: not one of ours
    system: str = ""  # which system or strategy of that run


@dataclass(kw_only=True, slots=True)
class TableConfig:
    """One table of the paper, or one of our own."""

    title: str
    # Column -> where its number stands in metrics.json; {system} is the row's.
    columns: dict[str, str]
    rows: dict[str, RowConfig]
    scale: float = 100.0  # from a stored number to a printed one
    digits: int = 2

    def build(self) -> Table:
        """The table; runs that are not there leave their cells empty."""
        measured = {name: self._measured(row) for name, row in self.rows.items()}
        published = {name: row.published for name, row in self.rows.items()}
        return published_table(
            self.title,
            published,
            measured,
            columns=list(self.columns),
            scale=self.scale,
            digits=self.digits,
        )

    def _measured(self, row: RowConfig) -> dict[str, Any] | None:
        if row.run is None or not (Path(row.run) / METRICS).is_file():
            return None
        metrics = read_metrics(Path(row.run))
        return {
            column: look_up(metrics, path, system=row.system)
            for column, path in self.columns.items()
        }


@dataclass(kw_only=True, slots=True)
class TablesRun:
    """conf/tables.yaml"""

    table: TableConfig | None = None
    # Two runs to compare question by question, each FOLDER:SYSTEM.
    compare: list[str] = field(default_factory=list)
    format: str = "markdown"  # markdown | latex
    out: str | None = None  # a file; None: print
    seed: int = 0  # of intervals

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"format={self.format!r} is none of {', '.join(FORMATS)}")
        if self.compare and len(self.compare) != 2:
            raise ValueError(f"compare={self.compare} must be two runs, each FOLDER:SYSTEM")
        if self.table is None and not self.compare:
            raise ValueError("say which table=, or compare=[FOLDER:SYSTEM,FOLDER:SYSTEM]")

    def build(self) -> list[Table]:
        tables = [] if self.table is None else [self.table.build()]
        if self.compare:
            tables.append(compare_runs(*self.compare, seed=self.seed))
        return tables


def compare_runs(first: str, second: str, *, seed: int = 0) -> Table:
    """Paired tests by split of two systems, of one run or of two, on the questions of both."""
    sides = [_predictions(name) for name in (first, second)]
    task = _task(sides[0])
    compared = paired_splits(task, sides[0], sides[1], seed=seed)
    if not compared:
        raise ValueError(f"{first} and {second} have no question in common")
    rows = []
    for split, result in compared.items():
        difference = result["difference"]
        interval = ""
        if difference["low"] is not None:
            interval = f" [{100 * difference['low']:+.1f}, {100 * difference['high']:+.1f}]"
        rows.append((
            split,
            str(difference["n"]),
            f"{100 * difference['value']:+.1f}{interval}",
            str(result["only_first"]),
            str(result["only_second"]),
            f"{result['p_value']:.2g}",
        ))  # fmt: skip
    head = ("split", "n", "difference", "only first right", "only second right", "p (McNemar)")
    return Table(f"{first} minus {second}, points of accuracy", head, tuple(rows))


def read_metrics(folder: Path) -> dict[str, Any]:
    """metrics.json of a run folder."""
    path = folder / METRICS
    if not path.is_file():
        raise ValueError(f"{path} does not exist: {folder} holds no finished evaluation")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def look_up(metrics: Mapping[str, Any], path: str, *, system: str = "") -> dict[str, Any] | None:
    """The metric at a dotted path; None if a step of it is not there (it was not run).

    system: what `{system}` in the path means; a dot in it, as of human_prior_0.9, parts no steps.
    """
    value: Any = metrics
    for step in (each.format(system=system) for each in path.split(".")):
        if not isinstance(value, Mapping) or step not in value:
            return None
        value = value[step]
    return dict(value)


def _predictions(name: str) -> list[Prediction]:
    folder, mark, system = name.rpartition(":")
    if not mark:
        raise ValueError(f"{name!r} is not FOLDER:SYSTEM, for example runs/vstar:guided")
    lines = read_predictions(Path(folder))
    systems = sorted({line.get("system", "") for line in lines})
    chosen = [line for line in lines if line.get("system") == system]
    if not chosen:
        raise ValueError(f"{folder} has no predictions of {system!r}; there are {systems}")
    return chosen


def _task(lines: list[Prediction]) -> Task:
    """Any task judges its own lines without its data at hand."""
    return task_named(lines[0]["task"]).task()
