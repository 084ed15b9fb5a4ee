"""What eval/tables is told, and the tables it makes: printed numbers beside what runs measured."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from seal.evaluation.store import write_text
from seal.evaluation.tables.compare_runs import compare_runs
from seal.evaluation.tables.filled_table import FilledTable
from seal.evaluation.tables.measured import read_metrics
from seal.evaluation.tables.run_table import run_table
from seal.evaluation.tables.table_config import TableConfig
from seal.evaluation.tables.tables_page import PAGE, tables_page
from seal.pages.table import latex, markdown

SUFFIXES = {"markdown": ".md", "latex": ".tex", "html": ".html"}
ONE, COMPARED = "table", "compare"  # names of files, of a table= and of a compare=


@dataclass(kw_only=True, slots=True)
class TablesRun:
    """conf/tables.yaml"""

    table: TableConfig | None = None  # one of conf/table, or `all` of them
    tables: dict[str, TableConfig] = field(default_factory=dict)  # what table=all chooses
    miniature: str | None = None  # folder of a demo, whose results get columns of their own
    groups: dict[str, str] = field(default_factory=dict)  # name -> folder of runs of the same names
    runs: list[str] = field(default_factory=list)  # folders of runs, shown as they are
    compare: list[str] = field(default_factory=list)  # two, question by question: FOLDER:SYSTEM
    format: str | None = None  # markdown | latex | html; None: what out= ends in, else markdown
    out: str | None = None  # a file, or a folder for a file a table; None: print
    seed: int = 0  # of intervals

    def __post_init__(self) -> None:
        ending = None if self.out is None else Path(self.out).suffix
        meant = {suffix: name for name, suffix in SUFFIXES.items()}.get(ending or "")
        self.format = self.format or meant or "markdown"
        if self.format not in SUFFIXES:
            raise ValueError(f"format={self.format!r} is none of {', '.join(SUFFIXES)}")
        if meant not in (None, self.format):
            raise ValueError(f"out={self.out} ends as {meant} does, but format={self.format}")
        if self.format == "html" and self.out is None:
            raise ValueError("format=html is a page: say where, out=FOLDER or out=NAME.html")
        if self.compare and len(self.compare) != 2:
            raise ValueError(f"compare={self.compare} must be two runs, each FOLDER:SYSTEM")
        if self.table is None and not (self.tables or self.runs or self.compare):
            raise ValueError(
                "say which table=, runs=[FOLDER,...] or compare=[FOLDER:SYSTEM,FOLDER:SYSTEM]"
            )
        for key in ("miniature", "groups"):
            if getattr(self, key) and self.table is None and not self.tables:
                raise ValueError(f"{key} gives a table columns of their own: say which table=")

    def build(self) -> dict[str, FilledTable]:
        """The tables by name, those of `runs` last."""
        return self.build_papers() | self.build_runs()

    def build_papers(self) -> dict[str, FilledTable]:
        """Those of papers, and of two runs that are compared."""
        configs = {} if self.table is None else {ONE: self.table}
        tables = {
            name: config.build(groups=self.groups, miniature=self.miniature)
            for name, config in (configs | self.tables).items()
        }
        if self.compare:
            tables[COMPARED] = FilledTable(compare_runs(*self.compare, seed=self.seed))
        return tables

    def build_runs(self) -> dict[str, FilledTable]:
        """One of each of `runs`."""
        tables = {}
        for place, run in enumerate(self.runs, start=1):
            try:
                shown = run_table(read_metrics(Path(run)))
            except ValueError as error:
                raise ValueError(f"runs: {run}: {error}") from error
            tables[f"run_{place}"] = FilledTable(replace(shown, title=f"{run}: {shown.title}"))
        return tables


def write_tables(run: TablesRun) -> list[Path]:
    """Write the tables where `out` says; returns the files."""
    assert run.out is not None
    out = Path(run.out)
    single = out.suffix in (*SUFFIXES.values(), ".txt") and not out.is_dir()
    if run.format == "html":
        run.build_runs()  # what cannot be shown is told; the page shows more of each than its table
        page = tables_page(run.build_papers(), [Path(folder) for folder in run.runs])
        return [page.write(out if single else out / PAGE)]
    show = latex if run.format == "latex" else markdown
    texts = {name: show(filled.table) for name, filled in run.build().items()}
    if single:
        write_text(out, "\n\n".join(texts.values()) + "\n")
        return [out]
    paths = [out / f"{name}{SUFFIXES[run.format or 'markdown']}" for name in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_text(path, text + "\n")
    return paths
