"""Which level of visual tokens a router chose, by kind of question, from a run's lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from seal.evaluation.results.question_kinds import object_size, question_kinds
from seal.evaluation.shown_systems import shown_part
from seal.evaluation.task import Prediction, TaskQuestion
from seal.metrics.intervals import bootstrap, mean
from seal.metrics.metric import Metric

ALL = "all"  # the kind of every question


def forced_level(system: str, lines: Sequence[Prediction] = ()) -> int | None:
    """The level that every picture is read at, by the system's name, or where it tells nothing by
    what its lines say of the answer model (`granularity=36`, a model without a router); None: it is
    chosen, or there are no levels.
    """
    shown = shown_part(system)
    if shown:
        return int(shown) if shown.isdecimal() else None
    told = {
        (line["answer"].get("answered_by") or {}).get("granularity")
        for line in lines
        if line["answer"] is not None
    }
    level = told.pop() if len(told) == 1 else None
    return level if isinstance(level, int) else None


def readings_of(line: Prediction) -> list[tuple[int, ...]]:
    """Of each wording of the final question, the levels of the whole image, then of every crop it
    was put with; [] where the answer model has no levels, or nothing was answered."""
    answer = line["answer"] or {}
    each = answer.get("levels_each") or [answer.get("levels") or ()]
    return [tuple(levels) for levels in each if levels]


def visual_tokens(line: Prediction) -> float | None:
    """Visual tokens that the answer model read for a question; None: nobody counted them."""
    cost: Mapping[str, Any] = ((line["answer"] or {}).get("cost") or {}).get("answer_model") or {}
    told = cost.get("visual_tokens")
    return None if told is None else float(told)


def chosen_levels(
    by_system: Mapping[str, Sequence[Prediction]],
    splits_of: Callable[[TaskQuestion], tuple[str, ...]],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """System -> `levels` (all that occur, coarse to fine), `kinds` (by what -> kind -> see below)
    and `size`: rank correlation of the whole image's level with the size of what is asked (below
    zero: finer levels for smaller things), None without sizes.

    Of every kind: `n` questions, how often each level was read (`whole`: of the whole image, once
    for every wording that was put, `crops`: of crops, by the level as text), and the mean
    `visual_tokens` of a question. Systems of which every picture was read at a level that was named
    chose none and are left out, as are those without levels.
    """
    found = {}
    for name, lines in by_system.items():
        told = [line for line in lines if readings_of(line)]
        if told and forced_level(name, lines) is None:
            found[name] = _of_system(told, splits_of, seed)
    return found


def _of_system(
    lines: Sequence[Prediction],
    splits_of: Callable[[TaskQuestion], tuple[str, ...]],
    seed: int,
) -> dict[str, Any]:
    by_id = {line["id"]: line for line in lines}
    questions = {name: TaskQuestion.from_dict(line["question"]) for name, line in by_id.items()}
    kinds = question_kinds(list(questions.values()), splits_of)
    readings = {name: readings_of(line) for name, line in by_id.items()}
    levels = sorted({level for of in readings.values() for each in of for level in each})

    def told(names: Sequence[str]) -> dict[str, Any]:
        of = [by_id[name] for name in names]
        read = [each for name in names for each in readings[name]]
        tokens = [(visual_tokens(line), questions[line["id"]].cluster) for line in of]
        known = [(value, cluster) for value, cluster in tokens if value is not None]
        return {
            "n": len(of),
            "whole": _counts([each[0] for each in read], levels),
            "crops": _counts([level for each in read for level in each[1:]], levels),
            "visual_tokens": mean(
                [value for value, _ in known],
                invalid=len(of) - len(known),
                clusters=[cluster for _, cluster in known],
                seed=seed,
            ).to_dict(),
        }

    sized = {name: size for name, q in questions.items() if (size := object_size(q)) is not None}
    trend = rank_correlation(
        [float(np.mean([each[0] for each in readings[name]])) for name in sized],
        list(sized.values()),
        clusters=[questions[name].cluster for name in sized],
        seed=seed,
    )
    return {
        "levels": levels,
        "kinds": {
            ALL: {ALL: told(list(by_id))},
            **{by: {k: told(names) for k, names in of.items()} for by, of in kinds.items()},
        },
        "size": None if trend is None else trend.to_dict(),
    }


def _counts(chosen: Sequence[int], levels: Sequence[int]) -> dict[str, int]:
    of = Counter(chosen)
    return {str(level): of[level] for level in levels}


def rank_correlation(
    first: Sequence[float], second: Sequence[float], *, clusters: Sequence[str], seed: int = 0
) -> Metric | None:
    """Spearman's, equal values sharing their mean rank; the interval resamples clusters of items
    with the ranks that they have among all. None where one side is always the same.
    """
    if len({*first}) < 2 or len({*second}) < 2:
        return None
    a, b = (rankdata(side) - (len(side) + 1) / 2 for side in (first, second))
    a, b = a / a.std(), b / b.std()

    def correlation(means: np.ndarray) -> np.ndarray:
        of_a, of_b, aa, bb, ab = np.moveaxis(means, -1, 0)
        spread = (aa - of_a**2) * (bb - of_b**2)
        return np.asarray((ab - of_a * of_b) / np.sqrt(np.maximum(spread, 1e-12)))

    columns = np.stack([a, b, a * a, b * b, a * b], axis=1)
    return bootstrap(columns, correlation, clusters=clusters, seed=seed)
