"""tables.html: tables of results, what would fill their empty cells, and the runs behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from seal.evaluation.results.cost_pictures import add_cost_pictures
from seal.evaluation.results.results_page import add_results
from seal.evaluation.tables.filled_table import FilledTable
from seal.evaluation.tables.measured import read_metrics
from seal.evaluation.tables.run_table import run_table
from seal.pages.forest import forest
from seal.pages.page import Page

PAGE = "tables.html"
Metrics: TypeAlias = Mapping[str, Any]  # metrics.json of a run


def tables_page(tables: Mapping[str, FilledTable], more: Sequence[Path] = ()) -> Page:
    """All tables, then each run that they read: paired tests, controls, costs and pictures.

    more: folders of other runs to show so.
    """
    page = Page(
        "Results beside what was published",
        "Brackets are 95% intervals; a cell is empty where nothing was measured or published.",
    )
    for filled in tables.values():
        page.heading(filled.table.title)
        page.table(replace(filled.table, title=""))
        if len(filled.marks) > 1:
            page.markup(f"<figure>{forest(filled.marks, x_label=filled.drawn)}</figure>")
        if filled.missing:
            page.commands("Empty cells that a run of ours fills:", filled.missing)
    read = [run for filled in tables.values() for run in filled.runs]
    runs = list(dict.fromkeys([*more, *read]))
    metrics = {run: read_metrics(run) for run in runs}
    for run, of in metrics.items():
        page.heading(f"Behind the tables: {run}")
        if "sources" in of:  # referring expressions have no systems to compare
            page.table(run_table(of))
        else:
            add_results(page, run.name, of)
    answered = {run: of for run, of in metrics.items() if of.get("costs")}
    if len(answered) > 1:
        page.heading("All runs: accuracy against cost")
        for title, group in _by_task(answered).items():
            page.subheading(title)
            add_cost_pictures(page, group)
    return page


def _by_task(
    runs: Mapping[Path, Mapping[str, object]],
) -> dict[str, dict[str, Mapping[str, object]]]:
    """Only numbers of one task and one way of scoring stand in one picture."""
    groups: dict[str, dict[str, Metrics]] = {}
    for run, of in runs.items():
        title = f"{of.get('task')}, protocol {of.get('protocol')}, scoring {of.get('scoring')}"
        groups.setdefault(title, {})[str(run)] = of
    return {title: group for title, group in groups.items() if len(group) > 1}
