"""The numbers of judged free answers: by system and split, and how systems compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seal.evaluation.answer_scorers import SCORERS, Answered, clusters_of
from seal.evaluation.free_answers import OVERALL, VERSION
from seal.evaluation.task import Prediction
from seal.metrics.paired import paired_difference


def free_metrics(
    task: str, lines: Sequence[Prediction], *, baseline: str, seed: int = 0
) -> dict[str, Any]:
    """Everything in metrics.json; a pure function of the lines."""
    systems: dict[str, dict[str, Answered]] = {}
    splits: dict[str, str] = {}
    for line in lines:
        row = Answered(line["question"], line["labels"], line["text"], line.get("image"))
        systems.setdefault(line["system"], {})[line["id"]] = row
        splits[line["id"]] = line.get("split", "")
    if baseline not in systems and "original" in systems:
        baseline = "original"
    return {
        "task": task,
        "task_version": VERSION,
        "protocol": "vicrop",
        "scoring": "released and standard",
        "seed": seed,
        "num_questions": len({line["id"] for line in lines}),
        "errors": [],
        "systems": {name: _by_split(task, rows, splits, seed) for name, rows in systems.items()},
        "paired": {
            f"{name}_vs_{baseline}": {OVERALL: _differences(task, rows, systems[baseline], seed)}
            for name, rows in systems.items()
            if baseline in systems and name != baseline
        },
    }


def _by_split(
    task: str, rows: Mapping[str, Answered], splits: Mapping[str, str], seed: int
) -> dict[str, Any]:
    """Metrics of each named split, and of all questions."""
    groups: dict[str, list[Answered]] = {}
    for name, row in rows.items():
        if splits[name]:
            groups.setdefault(splits[name], []).append(row)
    groups[OVERALL] = list(rows.values())
    return {
        split: {k: m.to_dict() for k, m in SCORERS[task].metrics(of, seed=seed).items()}
        for split, of in groups.items()
    }


def _differences(
    task: str, first: Mapping[str, Answered], second: Mapping[str, Answered], seed: int
) -> dict[str, Any]:
    """By judgement, first minus second over the questions that both were asked."""
    scorer = SCORERS[task]
    found = {}
    for key, credit in (("released", scorer.credit_released), ("standard", scorer.credit_standard)):
        pairs = [
            (credit(row), credit(second[name]), row)
            for name, row in first.items()
            if name in second
        ]
        if key == "released":  # what the original cannot judge is in neither number
            pairs = [pair for pair in pairs if pair[0] is not None and pair[1] is not None]
        found[key] = paired_difference(
            [a or 0.0 for a, *_ in pairs],
            [b or 0.0 for _, b, _ in pairs],
            clusters=clusters_of([row for *_, row in pairs]),
            seed=seed,
        ).to_dict()
    return found
