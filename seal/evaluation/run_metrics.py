"""The numbers of a run: a pure function of its predictions, and the files that show them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from seal.evaluation.judges.graded import judged_by
from seal.evaluation.results.chosen_levels import chosen_levels
from seal.evaluation.results.control_report import compare_controls
from seal.evaluation.results.costs import mean_costs
from seal.evaluation.results.granularity import compare_granularities
from seal.evaluation.results.results_page import write_results
from seal.evaluation.store import METRICS, write_json
from seal.evaluation.task import Prediction, Task, TaskQuestion, errors_of
from seal.metrics.paired import compare
from seal.metrics.power import detectable_difference

# By question: its credit, its cluster, and the splits that it counts in.
Credits: TypeAlias = dict[str, tuple[float, str, tuple[str, ...]]]
DISCORDANT = 0.2  # share of questions on which two systems differ, to say what n can show


def benchmark_metrics(
    task: Task, predictions: Sequence[Prediction], *, baseline: str = "none", seed: int = 0
) -> dict[str, Any]:
    """Everything in metrics.json; a pure function of the predictions."""
    by_system: dict[str, list[Prediction]] = {}
    for line in predictions:
        by_system.setdefault(line["system"], []).append(line)
    credits = {name: _credits(task, lines) for name, lines in by_system.items()}
    paired = {
        f"{name}_vs_{baseline}": _paired(credits[name], credits[baseline], seed)
        for name in by_system
        if baseline in by_system and name != baseline
    }

    def pair(first: Sequence[Prediction], second: Sequence[Prediction]) -> dict[str, Any]:
        return _paired(credits[first[0]["system"]], credits[second[0]["system"]], seed)

    controls = compare_controls(by_system, pair, baseline=baseline, seed=seed)
    levels = chosen_levels(by_system, task.splits_of, seed=seed)
    earned = {
        name: {question: (credit, cluster) for question, (credit, cluster, _) in of.items()}
        for name, of in credits.items()
    }
    granularity = compare_granularities(by_system, earned, seed=seed)
    return {
        "task": task.name,
        "task_version": task.version,
        "main": task.main,
        "protocol": ", ".join(sorted({line["protocol"] for line in predictions})),
        "scoring": ", ".join(sorted({line["scoring"] for line in predictions})),
        "seed": seed,
        "num_questions": len({line["id"] for line in predictions}),
        "errors": errors_of(predictions),
        "systems": {name: task.metrics(lines, seed=seed) for name, lines in by_system.items()},
        "paired": paired,
        **({"controls": controls} if controls else {}),
        **({"levels": levels} if levels else {}),
        **({"granularity": granularity} if granularity else {}),
        "detectable": _detectable(task, predictions),
        "costs": {name: mean_costs(lines, seed=seed) for name, lines in by_system.items()},
        **judged_by(predictions, task.score),
    }


def _detectable(task: Task, predictions: Sequence[Prediction]) -> dict[str, Any]:
    """By split, the smallest difference that as many questions can show (80% power, 5%).

    For two systems of which one alone is right on a fifth of the questions. `value`: of questions
    that are unrelated; `at_worst`: where those of one picture (`clusters`) all come out alike, and
    tell as much as one of them. What two systems of the run can show stands with their paired test.
    """
    questions = {line["id"]: TaskQuestion.from_dict(line["question"]) for line in predictions}
    clusters: dict[str, list[str]] = {}
    for question in questions.values():
        for split in task.splits_of(question):
            clusters.setdefault(split, []).append(question.cluster)
    return {
        split: {
            "n": len(of),
            "clusters": len({*of}),
            "discordant": DISCORDANT,
            "value": detectable_difference(len(of), DISCORDANT),
            "at_worst": detectable_difference(len({*of}), DISCORDANT),
        }
        for split, of in clusters.items()
    }


def paired_splits(
    task: Task, first: Sequence[Prediction], second: Sequence[Prediction], *, seed: int = 0
) -> dict[str, Any]:
    """Split -> paired comparison of two systems, over the questions that both were asked.

    What either is not judged on is left out; questions of one picture go together.
    """
    return _paired(_credits(task, first), _credits(task, second), seed)


def _credits(task: Task, lines: Sequence[Prediction]) -> Credits:
    """What each line earned, of those that are judged; every line is scored once."""
    found: Credits = {}
    for line in lines:
        question = TaskQuestion.from_dict(line["question"])
        credit = task.score(question, line)["credit"]
        if credit is not None:
            found[line["id"]] = credit, question.cluster, task.splits_of(question)
    return found


def _paired(first: Credits, second: Credits, seed: int) -> dict[str, Any]:
    pairs: dict[str, list[tuple[float, float, str]]] = {}
    for name, (credit, cluster, splits) in first.items():
        if name in second:
            for split in splits:
                pairs.setdefault(split, []).append((credit, second[name][0], cluster))
    return {
        split: compare(
            [a for a, _, _ in of],
            [b for _, b, _ in of],
            clusters=[cluster for *_, cluster in of],
            seed=seed,
        ).to_dict()
        for split, of in pairs.items()
    }


def write_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """metrics.json, and the page that shows it"""
    write_json(folder / METRICS, metrics)
    write_results(folder, metrics)
