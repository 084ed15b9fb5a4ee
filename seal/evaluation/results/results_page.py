"""results.html: what a run's numbers say, with intervals, paired tests, controls and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from seal.evaluation.results.charts import WITHIN, answer_bars, found_curves
from seal.evaluation.results.control_report import control_table, control_verdicts
from seal.evaluation.results.cost_pictures import add_cost_pictures
from seal.evaluation.results.costs import SHARED, cost_table, has_costs
from seal.evaluation.results.granularity_report import add_granularity
from seal.evaluation.results.result_tables import (
    answers_table,
    detectable_table,
    length_tests_table,
    need_search_table,
    paired_table,
    search_table,
)
from seal.pages.page import Page

RESULTS = "results.html"
_PICTURES = 12  # of searches on the page; folder traces/ has them all
_SETTINGS = (
    "task", "task_version", "protocol", "scoring", "seed", "num_questions", "num_targets",
)  # fmt: skip
_TOLD = (
    "Brackets are 95% intervals. A tie at the best score earns nothing and is counted; an answer "
    "that cannot be read is invalid and counts as wrong; one that nobody judged is in no number."
)
_DETECTABLE = (
    "Detectable: the difference that as many questions of this discordance show four times out of "
    "five; a smaller one may be there and stay unseen."
)


def write_results(
    folder: Path, metrics: Mapping[str, Any], *, pictures: Sequence[tuple[Path, str]] = ()
) -> Path:
    """Write the page of a run beside its metrics.json; returns its path.

    pictures: files of searches and what each of them did; they stand at the end of the page.
    """
    page = Page(f"Results: {folder.name}", _TOLD)
    add_charts(page, metrics)
    page.subheading("The run")
    facts = {name: metrics[name] for name in _SETTINGS if name in metrics}
    page.facts(facts | {f"judge: {key}": of for key, of in metrics.get("judge", {}).items()})
    for error in metrics.get("errors", []):
        page.note(f"error: {error}")
    add_results(page, folder.name, metrics)
    if pictures:
        page.subheading("What it looked at")
        for path, words in pictures[:_PICTURES]:
            with Image.open(path) as shown:
                page.picture(shown, words)
    return page.write(folder / RESULTS)


def add_charts(page: Page, metrics: Mapping[str, Any]) -> None:
    """What a run says at a glance."""
    if "strategies" in metrics:
        drawn, told = found_curves(metrics), WITHIN
    elif metrics.get("systems"):
        drawn, told = answer_bars(metrics), "All splits together; lines are 95% intervals."
    else:
        return
    if drawn:
        page.figure(drawn, told)


def add_results(page: Page, name: str, metrics: Mapping[str, Any]) -> None:
    """The parts of a page that metrics.json of one run makes."""
    if "strategies" in metrics:
        _add_search(page, name, metrics)
        return
    if metrics.get("systems") == {}:
        page.note("No system was asked.")
        return
    page.table(answers_table(metrics))
    if metrics.get("paired"):
        page.subheading("Paired tests")
        page.table(paired_table(metrics["paired"]))
        page.note(_DETECTABLE)
    if metrics.get("detectable"):
        page.table(detectable_table(metrics["detectable"]))
    if metrics.get("controls"):
        page.subheading("Controls")
        page.table(control_table(metrics))
        for verdict in control_verdicts(metrics):
            page.note(verdict)
    add_granularity(page, metrics)
    if has_costs(metrics.get("costs", {})):
        page.subheading("Costs")
        page.table(cost_table(metrics["costs"]))
        page.note(SHARED)
        add_cost_pictures(page, {name: metrics})


def _add_search(page: Page, name: str, metrics: Mapping[str, Any]) -> None:
    page.table(search_table(metrics))
    if metrics.get("need_search"):
        page.table(need_search_table(metrics))
    if metrics.get("search_length", {}).get("difference"):
        page.subheading("Paired tests")
        page.table(length_tests_table(metrics))
    page.subheading("Costs")
    add_cost_pictures(page, {name: metrics})
