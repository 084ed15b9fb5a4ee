"""metrics.json and report.html of the demo of adaptive granularity, from what its stages left."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seal.evaluation.judged import judge_choice
from seal.evaluation.results.costs import cost_table
from seal.evaluation.results.granularity_report import add_granularity
from seal.evaluation.results.result_tables import benchmark_table
from seal.evaluation.task import TaskQuestion
from seal.files.whole import write_whole
from seal.images import open_image
from seal.miniature.granularity_scenes import GRANULARITY_BENCHMARK
from seal.miniature.report import add_training
from seal.pages.page import Page, picture

TITLE = "AVG-LLaVA in miniature"
PICTURES = 12  # shown with the level chosen


def summarize_granularity(
    out: Path,
    *,
    system: str,
    seconds: Mapping[str, float],
    peak_memory_mb: float,
    runs: Path,
) -> Path:
    """Write `out/metrics.json` and `out/report.html`; returns the report's path.

    system: the one that chooses its levels.
    """
    results = out / "results" / "benchmark"
    found = json.loads((results / "metrics.json").read_text(encoding="utf-8"))
    metrics = collect_granularity(found) | {
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "peak_memory_mb": round(peak_memory_mb),
    }
    write_whole(out / "metrics.json", json.dumps(metrics, indent=1) + "\n")
    page = Page(
        TITLE,
        "Adaptive granularity: scenes of the small world from near, midway and afar; a model that "
        "reads each picture at one of five numbers of visual tokens, and a router, trained on the "
        "model's own losses, that chooses it by picture and question. The same classes, losses and "
        "training loop as at 7B. Every number is from unseen scenes; brackets are 95% intervals.",
    )
    page.heading("Answers")
    page.table(benchmark_table(found))
    page.note(
        f"{system} reads what the router chooses, the others always so many tokens of a tile. "
        "Questions about a region need no detail; the others ask for the color of a badge that is "
        "large (near) or a few pixels wide (far)."
    )
    page.heading("What was chosen, and what that is worth")
    add_granularity(page, found)
    page.heading("Costs")
    page.table(cost_table(found["costs"]))
    add_training(page, runs, metrics)
    page.heading("Levels of single questions")
    page.sheet(_pictures(results / "predictions.jsonl", system, out / "data"))
    page.write(out / "report.html")
    return out / "report.html"


def collect_granularity(found: Mapping[str, Any]) -> dict[str, Any]:
    """The demo's numbers in one document, from the metrics of its evaluation."""
    return {
        "accuracy": {
            name: {split: told["accuracy"] for split, told in of.items() if "accuracy" in told}
            for name, of in found["systems"].items()
        },
        # Accuracy against every level, chance and hindsight, with the tokens read.
        "granularity": found["granularity"],
        # Which level was chosen, by the sort of question and the size of what is asked.
        "levels": found["levels"],
        "costs": found["costs"],
        "protocol": found["protocol"],
    }


def _pictures(predictions: Path, system: str, data: Path) -> list[tuple[str, str]]:
    """Figures of a few questions with what was said of them, and from how many tokens."""
    figures: list[tuple[str, str]] = []
    for text in predictions.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        chosen = (line["answer"] or {}).get("levels")
        if line["system"] != system or len(figures) == PICTURES or not chosen:
            continue
        question = TaskQuestion.from_dict(line["question"])
        score = judge_choice(question, line)
        image = open_image(data / GRANULARITY_BENCHMARK / str(question.image))
        said = question.options[score["chosen"]]
        verdict = "right" if score["correct"] else "wrong"
        caption = (
            f"{question.text} <i>{html.escape(said)}</i> ({verdict}), read at "
            f"<b>{chosen[0]}</b> tokens a tile"
        )
        figures.append((picture(image, exact=True), caption))
    return figures
