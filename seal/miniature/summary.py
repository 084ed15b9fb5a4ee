"""metrics.json and report.html of the demo, from what its stages left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from seal.evaluation.judged import judge_choice
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
from seal.evaluation.task import TaskQuestion
from seal.files.whole import write_whole
from seal.metrics.paired import compare
from seal.pages.curves import loss_curves
from seal.pages.page import Page
from seal.pages.table import Table
from seal.training.log import read_metrics

SPLITS = ("attribute", "spatial", "overall")
# Systems that are compared as ways to find, with the first.
WAYS = ("guided", "expert_first", "zoom_eye", "whole_image_detector")


def summarize(
    out: Path, *, seconds: Mapping[str, float], peak_memory_mb: float, runs: Path
) -> Path:
    """Write `out/metrics.json` and `out/report.html`; returns the report's path."""
    results = out / "results"
    found = {
        name: _read(results / name / "metrics.json")
        for name in ("benchmark", "benchmark_no_crops", "search", "search_shuffled")
    }
    cue = _read(results / "cue_reading.json")
    baseline = compare_runs(results / "benchmark", "guided", results / "benchmark_no_crops", "none")
    ways = {
        f"{name}_vs_{WAYS[0]}": compare_runs(
            results / "benchmark", name, results / "benchmark", WAYS[0]
        )
        for name in WAYS[1:]
    }
    metrics = collect(found, cue, baseline, ways) | {
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "peak_memory_mb": round(peak_memory_mb),
    }
    write_whole(out / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    page = build_page(out, found, cue, metrics, runs)
    page.write(out / "report.html")
    return out / "report.html"


def compare_runs(first: Path, system: str, second: Path, other: str) -> dict[str, Any]:
    """Two systems, of two runs or of one, on the questions they share: by split, and overall."""
    right = [_outcomes(first, system), _outcomes(second, other)]
    shared = [question for question in right[0] if question in right[1]]
    by_split = {split: [q for q in shared if q[0] == split] for split in SPLITS[:2]}
    by_split["overall"] = by_split["attribute"] + by_split["spatial"]
    return {
        split: compare([right[0][q] for q in ids], [right[1][q] for q in ids]).to_dict()
        for split, ids in by_split.items()
        if ids
    }


def _outcomes(folder: Path, system: str) -> dict[tuple[str, str], bool]:
    """(split, id) of every question -> whether the system chose the true option."""
    outcomes = {}
    for text in (folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        if line["system"] == system:
            question = TaskQuestion.from_dict(line["question"])
            outcomes[question.split, question.id] = judge_choice(question, line)["correct"]
    return outcomes


def collect(
    found: Mapping[str, Any],
    cue: Mapping[str, Any],
    baseline: Mapping[str, Any],
    ways: Mapping[str, Any],
) -> dict[str, Any]:
    """The demo's numbers in one document, from the metrics of its evaluations."""
    systems = dict(found["benchmark"]["systems"])
    systems["no_crops"] = found["benchmark_no_crops"]["systems"]["none"]
    search, shuffled = found["search"], found["search_shuffled"]
    return {
        "accuracy": {
            name: {split: of[split]["accuracy"] for split in SPLITS if split in of}
            for name, of in systems.items()
        },
        "paired": found["benchmark"]["paired"]
        | {"guided_vs_no_crops": dict(baseline)}
        | dict(ways),
        "protocol": found["benchmark"]["protocol"],
        # How often the first answer asked to search: free running, nothing forced.
        "searched": {
            name: of["overall"]["searched"]
            for name, of in systems.items()
            if "searched" in of["overall"]
        },
        "search_length": {
            name: {"mean": of["value"], **of}
            for name, of in search["search_length"]["common"].items()
        },
        "search_length_difference": search["search_length"]["difference"],
        "search_length_shuffled_homes": shuffled["search_length"]["common"],
        "search_length_shuffled_homes_difference": shuffled["search_length"]["difference"],
        "found": {
            name: {
                key: of[key]
                for key in ("hit", "found", "precision", "false_alarm", "by_depth", "by_group")
            }
            for name, of in search["strategies"].items()
        },
        # What is left of a search's gain when its crops say less, by control and split.
        "controls": found["benchmark"]["controls"],
        "contextual_cue": dict(cue),
        "costs": found["benchmark"]["costs"],
    }


def build_page(
    out: Path,
    found: Mapping[str, Any],
    cue: Mapping[str, Any],
    metrics: Mapping[str, Any],
    runs: Path,
) -> Page:
    page = Page(
        "SEAL in miniature",
        "A small world of textured regions and tiny objects, models of a million weights, and "
        "the same classes, losses, training loop and search as at 7B. Every number is from unseen "
        "scenes; brackets are 95% intervals.",
    )
    page.heading("Answers")
    page.table(benchmark_table(found["benchmark"]))
    page.table(benchmark_table(found["benchmark_no_crops"]))
    page.table(cost_table(found["benchmark"]["costs"]))
    add_cost_pictures(page, {"demo": found["benchmark"]})
    gain = metrics["paired"]["guided_vs_no_crops"]["overall"]
    page.note(
        "The second table is a model of the same size that was trained to answer without crops. "
        f"Guided search against it: {percent(gain['difference'])} points overall, "
        f"{name_of_test(gain)}: p = {gain['p_value']:.1e}."
    )
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
    page.heading("Search")
    page.table(search_table(found["search"]))
    page.table(_groups(found["search"]))
    page.heading("Control: homes shuffled")
    page.text("The same search where objects stand anywhere, so that context says nothing.")
    page.table(search_table(found["search_shuffled"]))
    page.heading("Is the contextual cue read off the scene?")
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
    page.heading("Scaffolds")
    page.text(
        "The search model of the miniature trains with named options that are off for 7B. Objects "
        "under a few detector pixels teach the heatmap but not the boxes (min_box_pixels), which "
        "makes zooming necessary by construction. Every object fills a few pixels of the heatmap's "
        "labels (min_mask_pixels), masks of what is absent teach by BCE alone (dice_of_empty), and "
        "the focal loss weighs objects and background alike (alpha), as when its detector was "
        "pretrained. Pulling the query of [LOC] towards the detector's class embedding "
        "(query_alignment) stays off."
    )
    add_training(page, runs, metrics)
    page.heading("What it looked at")
    for path in sorted((out / "results" / "search" / "traces").glob("*.png"))[:12]:
        with Image.open(path) as picture:
            page.picture(picture, path.stem)
    return page


def add_training(page: Page, runs: Path, metrics: Mapping[str, Any]) -> None:
    """The losses of every training below `runs`, and what each stage of a demo took."""
    page.heading("Training")
    logs = sorted(runs.glob("*/metrics.jsonl"), key=lambda path: path.stat().st_mtime)
    page.plot(
        loss_curves({path.parent.name: read_metrics(path) for path in logs}),
        "Losses, each weighted as in the total.",
    )
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


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
