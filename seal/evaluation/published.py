"""What eval/tables is told, and the tables it makes: printed numbers beside what runs measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from seal.evaluation.filled_table import FilledTable
from seal.evaluation.named_tasks import task_named
from seal.evaluation.result_tables import paired_table
from seal.evaluation.run import paired_splits
from seal.evaluation.store import read_predictions, write_text
from seal.evaluation.table_config import TableConfig
from seal.evaluation.tables_page import PAGE, tables_page
from seal.evaluation.task import Prediction, Task
from seal.pages.table import Table, latex, markdown

SUFFIXES = {"markdown": ".md", "latex": ".tex", "html": ".html"}
ONE, COMPARED = "table", "compare"  # names of files, of a table= and of a compare=


@dataclass(kw_only=True, slots=True)
class TablesRun:
    """conf/tables.yaml"""

    table: TableConfig | None = None  # one of conf/table, or `all` of them
    tables: dict[str, TableConfig] = field(default_factory=dict)  # what table=all chooses
    miniature: str | None = None  # folder of a demo, whose results get columns of their own
    # Name -> folder of other runs of the same names, which get columns of their own.
    groups: dict[str, str] = field(default_factory=dict)
    # Two runs to compare question by question, each FOLDER:SYSTEM.
    compare: list[str] = field(default_factory=list)
    format: str = "markdown"  # markdown | latex | html
    out: str | None = None  # a file, or a folder for a file a table; None: print
    seed: int = 0  # of intervals

    def __post_init__(self) -> None:
        if self.format not in SUFFIXES:
            raise ValueError(f"format={self.format!r} is none of {', '.join(SUFFIXES)}")
        if self.format == "html" and self.out is None:
            raise ValueError("format=html is a page: say where, out=FOLDER or out=NAME.html")
        if self.compare and len(self.compare) != 2:
            raise ValueError(f"compare={self.compare} must be two runs, each FOLDER:SYSTEM")
        if self.table is None and not self.tables and not self.compare:
            raise ValueError("say which table=, or compare=[FOLDER:SYSTEM,FOLDER:SYSTEM]")

    def build(self) -> dict[str, FilledTable]:
        """The tables by name."""
        configs = {} if self.table is None else {ONE: self.table}
        tables = {
            name: config.build(groups=self.groups, miniature=self.miniature)
            for name, config in (configs | self.tables).items()
        }
        if self.compare:
            compared = compare_runs(*self.compare, seed=self.seed)
            tables[COMPARED] = FilledTable(compared, (), ())
        return tables


def write_tables(run: TablesRun) -> list[Path]:
    """Write the tables where `out` says; returns the files."""
    assert run.out is not None
    out, tables = Path(run.out), run.build()
    single = out.suffix in (".md", ".tex", ".html", ".txt") and not out.is_dir()
    if run.format == "html":
        return [tables_page(tables).write(out if single else out / PAGE)]
    show = latex if run.format == "latex" else markdown
    texts = {name: show(filled.table) for name, filled in tables.items()}
    if single:
        write_text(out, "\n\n".join(texts.values()) + "\n")
        return [out]
    paths = [out / f"{name}{SUFFIXES[run.format]}" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_text(path, text + "\n")
    return paths


def compare_runs(first: str, second: str, *, seed: int = 0) -> Table:
    """Paired tests by split of two systems, of one run or of two, on the questions of both."""
    sides = [_predictions(name) for name in (first, second)]
    task = _task(sides[0])
    compared = paired_splits(task, sides[0], sides[1], seed=seed)
    if not compared:
        raise ValueError(f"{first} and {second} have no question in common")
    table = paired_table({f"{first}_vs_{second}": compared})
    title = f"{first} minus {second}, points of accuracy"
    return Table(title, table.head[1:], tuple(row[1:] for row in table.rows), table.notes)


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
