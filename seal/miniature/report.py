"""report.html of the demo: pictures first, then every table."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seal.evaluation.results.control_report import control_table, control_verdicts
from seal.evaluation.results.cost_pictures import add_cost_pictures
from seal.evaluation.results.costs import cost_table
from seal.evaluation.results.result_tables import (
    benchmark_table,
    difference,
    name_of_test,
    number,
    percent,
    search_table,
)
from seal.evaluation.results.shown_searches import BEST
from seal.miniature.report_pictures import (
    add_before_after,
    add_best_search,
    add_charts,
    add_kinds,
    add_losses,
    add_scenes,
    searches_of,
)
from seal.pages.page import Page
from seal.pages.table import Table

TITLE = "SEAL in miniature"
# Systems that are compared as ways to find, with the first.
WAYS = ("guided", "expert_first", "zoom_eye", "whole_image_detector")
_WORLD = (
    "A small world of textured regions and tiny objects, models of a million weights, and the same "
    "classes, losses, training loop and search as at 7B. Every number is from unseen scenes; "
    "brackets are 95% intervals."
)


def build_report(
    out: Path,
    found: Mapping[str, Any],
    cue: Mapping[str, Any],
    metrics: Mapping[str, Any],
    runs: Path,
) -> Page:
    """The page of a finished demo.

    Args:
        found: metrics.json of each evaluation by name; `cue`: of the reading of cues.
        metrics: the demo's own.
    """
    page = Page(TITLE, _WORLD)
    page.markup(f'<p class="lead">{headline(metrics)}</p>')
    benchmark = out / "data" / "benchmark"
    searches = searches_of(out / "results" / "search")
    add_best_search(page, searches, benchmark)
    page.heading("What searching is worth")
    add_charts(page, found)
    best = searches[BEST]["target"]["image"] if BEST in searches else None
    add_before_after(page, out / "results" / "benchmark", benchmark, but_of=best)
    add_kinds(page, searches, benchmark)
    _add_answers(page, found, metrics)
    _add_searches(page, found, cue)
    add_training(page, runs, metrics)
    page.subheading("What they are taught with")
    add_scenes(page, out / "data")
    return page


def headline(metrics: Mapping[str, Any]) -> str:
    """The demo's result in a sentence, HTML."""
    none, guided = (metrics["accuracy"][name]["overall"] for name in ("none", "guided"))
    return (
        f"Of {guided['n']} questions about things too small to see at once, the model answers "
        f"<b>{html.escape(percent(none))}%</b> right without a search and "
        f"<b>{html.escape(percent(guided))}%</b> with it."
    )


def _add_answers(page: Page, found: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
    page.heading("Answers")
    page.table(benchmark_table(found["benchmark"]))
    page.table(benchmark_table(found["benchmark_no_crops"]))
    gain = metrics["paired"]["guided_vs_no_crops"]["overall"]
    page.note(
        "The second table is a model of the same size that was trained to answer without crops. "
        f"Guided search against it: {percent(gain['difference'])} points overall, "
        f"{name_of_test(gain)}: p = {gain['p_value']:.1e}."
    )
    page.heading("Costs")
    page.table(cost_table(found["benchmark"]["costs"]))
    add_cost_pictures(page, {"demo": found["benchmark"]})
    page.heading("Ways to find")
    page.table(_ways(metrics))
    page.note(
        "zoom_eye ends where the search model sees the target (search=by_sight): the VQA LLM of "
        "the miniature was shown whole scenes alone, and what it says of itself about parts of "
        "them tells little. Seconds of what systems share are charged to the first, all else to "
        "each."
    )
    page.heading("Does it look?")
    page.table(control_table(found["benchmark"]))
    for line in control_verdicts(found["benchmark"]):
        page.note(line)


def _add_searches(page: Page, found: Mapping[str, Any], cue: Mapping[str, Any]) -> None:
    page.heading("Search")
    page.table(search_table(found["search"]))
    page.table(_groups(found["search"]))
    page.subheading("Control: homes shuffled")
    page.text("The same search where objects stand anywhere, so that context says nothing.")
    page.table(search_table(found["search_shuffled"]))
    page.subheading("Is the contextual cue read off the scene?")
    page.table(
        Table(
            "share of right answers to where a kind most likely is",
            tuple(cue),
            (tuple(percent(value) for value in cue.values()),),
        )
    )
    page.note(
        "The home region of the kind is repainted between before and after, so the right answer "
        "changes; lookup is the best answer by the kind's name alone."
    )
    page.subheading("Scaffolds")
    page.text(
        "The search model of the miniature trains with named options that are off for 7B. Objects "
        "under a few detector pixels teach the heatmap but not the boxes (min_box_pixels), which "
        "makes zooming necessary by construction. Every object fills a few pixels of the heatmap's "
        "labels (min_mask_pixels), masks of what is absent teach by BCE alone (dice_of_empty), and "
        "the focal loss weighs objects and background alike (alpha), as when its detector was "
        "pretrained. Pulling the query of [LOC] towards the detector's class embedding "
        "(query_alignment) stays off."
    )


def add_training(page: Page, runs: Path, metrics: Mapping[str, Any]) -> None:
    """The losses of every training below `runs`, and what each stage of a demo took."""
    page.heading("Training")
    add_losses(page, runs, tuple(metrics["seconds"]))
    page.table(
        Table(
            f"seconds by stage; peak memory {metrics['peak_memory_mb']} MB",
            ("stage", "seconds"),
            tuple((name, f"{value:.0f}") for name, value in metrics["seconds"].items()),
        )
    )


def _ways(metrics: Mapping[str, Any]) -> Table:
    """Accuracy, cost and paired test of each way to find what a question needs."""
    rows = []
    for name in WAYS:
        against = metrics["paired"].get(f"{name}_vs_{WAYS[0]}", {})
        cost = metrics["costs"][name]
        costs = (cost[part]["value"] for part in ("steps", "search_calls", "calls", "seconds"))
        rows.append((
            name,
            percent(metrics["accuracy"][name]["overall"]),
            *("" if value is None else f"{value:,.3g}" for value in costs),
            difference(against.get("overall")),
        ))  # fmt: skip
    head = (
        "way", "accuracy", "steps", "calls of the guide", "calls of the VQA LLM", "seconds",
        f"vs {WAYS[0]} (p)",
    )  # fmt: skip
    title = "ways to find what a question needs (costs: means of a question)"
    return Table(title, head, tuple(rows))


def _groups(search: Mapping[str, Any]) -> Table:
    """The reference strategy for objects at home, away and absent, and by depth of the box."""
    of = search["strategies"][search["reference"]]
    rows = [
        (group, percent(m["hit"]), percent(m["precision"]), percent(m["false_alarm"]),
         number(m["length"]))
        for group, m in of["by_group"].items()
    ]  # fmt: skip
    rows += [
        (f"box from depth {depth}", "", percent(m["precision"]), "", "")
        for depth, m in of["by_depth"].items()
    ]
    head = ("targets", "found", "found boxes right", "false alarms", "length (own hits)")
    return Table(f"{search['reference']}, by where the target stands", head, tuple(rows))
