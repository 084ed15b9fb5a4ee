"""MME-RealWorld: five options, the last a refusal, about large pictures of the real world."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from seal.evaluation.judged import OVERALL, Judged, accuracy, by_split
from seal.evaluation.task import TaskQuestion
from seal.evaluation.tasks.mme_realworld_files import read, read_rows, recorded
from seal.evaluation.tasks.spec import TaskSpec
from seal.metrics.strata import mean_of_means

KINDS = ("Perception", "Reasoning")


def splits_of(question: TaskQuestion) -> tuple[str, ...]:
    """Its sub-task ("Perception/Monitoring"), Perception or Reasoning, and all."""
    return question.split, question.split.partition("/")[0], OVERALL


def metrics(judged: Sequence[Judged], seed: int) -> dict[str, dict[str, Any]]:
    """Accuracy by sub-task, then of Perception, of Reasoning and of all questions.

    As `eval_your_results.py` of yfzhang114/MME-RealWorld: over questions. `accuracy_unweighted` is
    its tables' Avg-C, the mean over sub-tasks; `refusals` counts answers of the last option, E.
    """
    splits = by_split(judged, splits_of)
    last = [split for split in (*KINDS, OVERALL) if split in splits]
    ordered = [*sorted(split for split in splits if split not in last), *last]
    return {split: _metrics(splits[split], split in last, seed) for split in ordered}


def _metrics(judged: Sequence[Judged], sums_up: bool, seed: int) -> dict[str, Any]:
    found = accuracy(judged, seed)
    found["refusals"] = sum(j.score["chosen"] == len(j.question.options) - 1 for j in judged)
    if sums_up:
        found["accuracy_unweighted"] = mean_of_means(
            [float(j.score["credit"]) for j in judged],
            [j.question.split for j in judged],
            invalid=sum(j.score["invalid"] for j in judged),
            clusters=[j.question.cluster for j in judged],
            seed=seed,
        ).to_dict()
    return found


def _spec(name: str, title: str, file: str, hub: str, scoring: str, total: int | None) -> TaskSpec:
    return TaskSpec(
        name=name,
        title=title,
        files=f"{file} of the official release (a .json lies beside the folders of its pictures), "
        "or its folder; or a .tsv as VLMEvalKit makes it",
        hub=hub,
        origin="https://huggingface.co/datasets/yifanzhang114/MME-RealWorld",
        licence="academic research only (by its repository; Apache-2.0 by the hub's card)",
        counts={} if total is None else {OVERALL: total},
        scorings=(scoring, "likelihood", "letter", "letter_cyclic", "string"),
        read=partial(read, name=file),
        read_rows=read_rows,
        metrics=metrics,
        splits_of=splits_of,
        recorded=recorded,
    )


SPECS = [
    _spec(
        "mme_realworld",
        "MME-RealWorld: hard questions about large pictures, in English",
        "MME_RealWorld.json",
        "yifanzhang114/MME-RealWorld-Lmms-eval",
        "letter_mme_realworld",
        None,
    ),
    _spec(
        "mme_realworld_lite",
        "MME-RealWorld-Lite: at most 50 questions of each task of MME-RealWorld",
        "mme_realworld_lite.tsv",
        "yifanzhang114/MME-RealWorld-lite-lmms-eval",
        "letter_mme_realworld",
        1919,
    ),
    _spec(
        "mme_realworld_cn",
        "MME-RealWorld-CN: its Chinese part",
        "MME_RealWorld_CN.json",
        "yifanzhang114/MME-RealWorld-CN-Lmms-eval",
        "letter_mme_realworld_cn",
        None,
    ),
]
