"""metrics.json of the demo, from what its stages left, and its report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seal.evaluation.judged import judge_choice
from seal.evaluation.task import TaskQuestion
from seal.files.whole import write_whole
from seal.metrics.paired import compare
from seal.miniature.report import WAYS, build_report

SPLITS = ("attribute", "spatial", "overall")


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
    page = build_report(out, found, cue, metrics, runs)
    return page.write(out / "report.html")


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


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
