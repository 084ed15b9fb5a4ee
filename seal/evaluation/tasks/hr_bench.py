"""HR-Bench: 200 questions about photographs of 4K and 8K, each with four orders of options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seal.evaluation.judged import OVERALL, Judged, accuracy, by_split, share
from seal.evaluation.tasks.hr_bench_files import read, read_rows, recorded
from seal.evaluation.tasks.spec import TaskSpec
from seal.metrics.strata import mean_of_means


def metrics(judged: Sequence[Judged], seed: int) -> dict[str, dict[str, Any]]:
    """Accuracy of each order, then the mean of the four, as `report_acc_hrbench` of the benchmark's
    own code has it; single and cross are its two kinds of questions.

    `all_orders` is the share of questions that are answered rightly in every order.
    """
    return {split: _metrics(of, seed) for split, of in by_split(judged).items()}


def _metrics(judged: Sequence[Judged], seed: int) -> dict[str, Any]:
    found = accuracy(judged, seed)
    credits = [float(j.score["credit"]) for j in judged]
    cycles = [j.question.meta["cycle"] for j in judged]
    clusters = [j.question.cluster for j in judged]
    invalid = sum(j.score["invalid"] for j in judged)
    found["accuracy"] = mean_of_means(
        credits, cycles, invalid=invalid, clusters=clusters, seed=seed
    ).to_dict()
    for cycle in sorted(set(cycles)):
        of = [j for j in judged if j.question.meta["cycle"] == cycle]
        found[f"accuracy_cycle_{cycle}"] = accuracy(of, seed)["accuracy"]
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        groups.setdefault(one.question.meta["group"], []).append(one)
    every = [float(all(j.score["correct"] for j in of)) for of in groups.values()]
    clusters = [of[0].question.cluster for of in groups.values()]
    unread = sum(any(j.score["invalid"] for j in of) for of in groups.values())
    found["all_orders"] = share(every, clusters, invalid=unread, seed=seed).to_dict()
    return found


def _spec(size: str) -> TaskSpec:
    return TaskSpec(
        name=f"hr_bench_{size}",
        title=f"HR-Bench {size.upper()}: small things in photographs of {size.upper()} pixels",
        files=f"hr_bench_{size}.tsv, or its folder; or ZoomEye's annotation_hr-bench_{size}.json "
        "with its images/",
        hub=f"DreamMr/HR-Bench:hrbench_version_split:hrbench_{size}",
        origin="https://huggingface.co/datasets/DreamMr/HR-Bench",
        licence="not stated",
        counts={"single": 400, "cross": 400, OVERALL: 800},
        scorings=(
            "letter_hr_bench", "letter_vlmevalkit", "likelihood", "letter", "letter_cyclic",
            "string",
        ),
        read=read,
        read_rows=read_rows,
        metrics=metrics,
        recorded=recorded,
    )  # fmt: skip


SPECS = [_spec("4k"), _spec("8k")]
