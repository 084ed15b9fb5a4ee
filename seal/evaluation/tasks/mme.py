"""MME: two yes-or-no questions about every image, of perception and of cognition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seal.evaluation.judged import INVALID, OVERALL, Judged
from seal.evaluation.task import Prediction, TaskQuestion
from seal.evaluation.tasks.answers_in_words import text_of
from seal.evaluation.tasks.mme_answers import recorded
from seal.evaluation.tasks.mme_files import PAIR, read, read_rows
from seal.evaluation.tasks.spec import TaskSpec
from seal.metrics.mme import (
    CATEGORIES,
    COGNITION,
    PERCEPTION,
    Pair,
    mme_metrics,
)
from seal.metrics.yes_no_rules import mme_says_yes

SUMS = {"perception": PERCEPTION, "cognition": COGNITION, OVERALL: CATEGORIES}


def judge(question: TaskQuestion, line: Prediction) -> dict[str, Any]:
    """By the first four characters, as MME's eval_tool does; neither yes nor no is invalid."""
    text = text_of(line)
    said = None if text is None else mme_says_yes(text)
    if said is None:
        return dict(INVALID)
    right = said == (question.labels[0] == "yes")
    return {
        "credit": float(right),
        "correct": right,
        "tie": False,
        "invalid": False,
        "chosen": "yes" if said else "no",
    }


def splits_of(question: TaskQuestion) -> tuple[str, ...]:
    sums = [name for name, categories in SUMS.items() if question.split in categories]
    return (question.split, *sums)


def metrics(judged: Sequence[Judged], seed: int) -> dict[str, dict[str, Any]]:
    """Of each category that is there; then of perception, cognition and both.

    `score` is no fraction but MME's own number: up to 200 a category, 2000 for perception, 800 for
    cognition. A sum that lacks a category has none. Questions whose other half was not asked
    (`limit`) are left out, and counted in `unpaired`.
    """
    pairs, unpaired = _pairs(judged)
    found = {
        category: _told({category: pairs[category]}, unpaired, seed)
        for category in CATEGORIES
        if pairs[category]
    }
    for name, categories in SUMS.items():
        of = {category: pairs[category] for category in categories}
        if any(of.values()):
            found[name] = _told(of, unpaired, seed)
            missing = [category for category in categories if not of[category]]
            found[name] |= {"missing_categories": missing} if missing else {}
    return found


def _pairs(judged: Sequence[Judged]) -> tuple[dict[str, list[Pair]], dict[str, int]]:
    """By category: both halves of every image, and how many halves stand alone."""
    halves: dict[tuple[str, str], list[Judged]] = {}
    for one in judged:
        halves.setdefault((one.question.split, str(one.question.meta[PAIR])), []).append(one)
    pairs: dict[str, list[Pair]] = {category: [] for category in CATEGORIES}
    unpaired = dict.fromkeys(CATEGORIES, 0)
    for (category, _), both in halves.items():
        if len(both) == 2:
            first, second = both
            right = (bool(first.score["correct"]), bool(second.score["correct"]))
            invalid = int(first.score["invalid"]) + int(second.score["invalid"])
            pairs[category].append(Pair(right, invalid))
        else:
            unpaired[category] += len(both)
    return pairs, unpaired


def _told(
    of: Mapping[str, Sequence[Pair]], unpaired: Mapping[str, int], seed: int
) -> dict[str, Any]:
    told = {name: metric.to_dict() for name, metric in mme_metrics(of, seed=seed).items()}
    alone = sum(unpaired[category] for category in of)
    return told | {"ties": 0} | ({"unpaired": alone} if alone else {})


SPEC = TaskSpec(
    name="mme",
    title="MME: two yes-or-no questions about every image, of perception and cognition",
    files="the folder with a folder for each category (the release), or with a .txt for each "
    "(eval_tool/Your_Results)",
    hub="lmms-lab/MME",
    origin="https://github.com/BradyFU/Awesome-Multimodal-Large-Language-Models/tree/Evaluation",
    licence="for research only",
    counts={
        "existence": 60, "count": 60, "position": 60, "color": 60, "posters": 294,
        "celebrity": 340, "scene": 400, "landmark": 400, "artwork": 400, "OCR": 40,
        "commonsense_reasoning": 140, "numerical_calculation": 40, "text_translation": 40,
        "code_reasoning": 40, OVERALL: 2374,
    },
    scorings=("yes_no", "short_answer"),
    read=read,
    read_rows=read_rows,
    judge=judge,
    metrics=metrics,
    main="score",
    splits_of=splits_of,
    recorded=recorded,
)  # fmt: skip
