"""What a router of visual granularity is worth: against each fixed level, chance, and hindsight.

A random router that draws every question's level from the router's own choices knows neither image
nor question. Its credit needs no draw: it is the mean of what each level earned on the question,
weighted by how often the router chose it. Where pictures are of several sizes, the same levels on
other pictures cost more or less; then it draws the dearest or the cheapest level so much more often
that it reads as many visual tokens, on the average, as the router does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from seal.evaluation.judged import share
from seal.evaluation.results.chosen_levels import forced_level, readings_of, visual_tokens
from seal.evaluation.shown_systems import search_part
from seal.evaluation.task import Prediction
from seal.metrics.intervals import mean, ratio
from seal.metrics.paired import compare

# Question -> what it earned and the cluster that it is of, of the questions that are judged.
Earned: TypeAlias = Mapping[str, tuple[float, str]]
RANDOM, HINDSIGHT = "random router", "best level in hindsight"


@dataclass(frozen=True, slots=True)
class _Column:
    """One system over the common questions, all (n,)."""

    credit: np.ndarray
    tokens: np.ndarray  # NaN: not known
    seconds: np.ndarray


def compare_granularities(
    by_system: Mapping[str, Sequence[Prediction]],
    earned: Mapping[str, Earned],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """System that chose levels -> how it compares with all of the same search (`SEARCH@...`, and
    `SEARCH`, shown as the run says).

    `levels`: that were forced, and the system of the `finest`, None where none of them is as fine
    as every level that was read. `n`: questions about a picture that all of them answered.
    `systems`: credit, visual tokens and seconds of each, and where they
    can be told of the random router and the best level in hindsight (the cheapest of those that
    earn most). `versus`: the system minus each other one, paired, with the tokens it reads as a
    share of theirs. `random`: the shares of levels that were `chosen`, those (`shares`) of the
    random router of the same mean cost, the system `versus` it, and `permuted`, one seeded
    permutation of the system's levels over the questions; or the `reason` why it cannot be told.

    Empty where nothing was shown in two ways.
    """
    found = {}
    for name, lines in by_system.items():
        if forced_level(name, lines) is not None or not any(map(readings_of, lines)):
            continue
        search = search_part(name)
        siblings = [other for other in by_system if search_part(other) == search]
        if len(siblings) == 1:
            continue
        told = {
            level: other
            for other in siblings
            if (level := forced_level(other, by_system[other])) is not None
        }
        of = _compared(name, siblings, dict(sorted(told.items())), by_system, earned, seed)
        if of:
            found[name] = of
    return found


def _compared(
    name: str,
    siblings: Sequence[str],
    forced: Mapping[int, str],
    by_system: Mapping[str, Sequence[Prediction]],
    earned: Mapping[str, Earned],
    seed: int,
) -> dict[str, Any]:
    lines = {other: {line["id"]: line for line in by_system[other]} for other in siblings}
    # A picture that could not be opened was shown at no level, and a text has none.
    ids = [
        question
        for question in earned[name]
        if lines[name][question]["question"]["image"] is not None
        and all(question in earned[o] and lines[o][question]["answer"] for o in siblings)
    ]
    if not ids:
        return {}
    clusters = [earned[name][question][1] for question in ids]
    columns = {other: _column(ids, lines[other], earned[other]) for other in siblings}
    own = columns[name]

    def versus(other: _Column) -> dict[str, Any]:
        compared = compare(own.credit, other.credit, clusters=clusters, seed=seed).to_dict()  # type: ignore[arg-type]
        counted = not np.isnan(own.tokens + other.tokens).any() and other.tokens.any()
        part = ratio(own.tokens, other.tokens, clusters=clusters, seed=seed) if counted else None  # type: ignore[arg-type]
        return compared | {"tokens": None if part is None else part.to_dict()}

    shown = dict(columns)
    chosen = [readings_of(lines[name][question]) for question in ids]
    read = {
        level
        for other in siblings
        for question in ids
        for each in readings_of(lines[other][question])
        for level in each
    }
    finest = forced[max(forced)] if forced and max(forced) >= max(read, default=0) else None
    reason = _why_not(chosen, forced)
    random: dict[str, Any] = {"reason": reason}
    if reason is None:
        own_shares = _shares(chosen, list(forced))
        levels = [columns[other] for other in forced.values()]
        chosen_shares = own_shares.mean(0)
        weights = _of_equal_cost(chosen_shares, levels, own)
        shown[RANDOM] = _mixed(levels, weights)
        drawn = np.random.default_rng(seed).permutation(own_shares)
        shown[HINDSIGHT] = _best(levels)
        random = {
            "chosen": dict(zip(map(str, forced), chosen_shares.tolist(), strict=True)),
            "shares": dict(zip(map(str, forced), weights.tolist(), strict=True)),
            "versus": versus(shown[RANDOM]),
            "permuted": versus(_mixed(levels, drawn)),
        }
    return {
        "search": search_part(name),
        "levels": list(forced),
        "finest": finest,
        "n": len(ids),
        "systems": {
            other: {
                "credit": share(of.credit.tolist(), clusters, invalid=0, seed=seed).to_dict(),
                "visual_tokens": _known_mean(of.tokens, clusters, seed),
                "seconds": _known_mean(of.seconds, clusters, seed),
            }
            for other, of in shown.items()
        },
        "versus": {other: versus(of) for other, of in columns.items() if other != name},
        "random": random,
    }


def _column(ids: Sequence[str], lines: Mapping[str, Prediction], earned: Earned) -> _Column:
    told = [lines[question] for question in ids]
    costs = [((line["answer"] or {}).get("cost") or {}).get("seconds") for line in told]
    return _Column(
        np.array([earned[question][0] for question in ids], float),
        np.array([np.nan if (n := visual_tokens(line)) is None else n for line in told], float),
        np.array([np.nan if cost is None else sum(cost.values()) for cost in costs], float),
    )


def _why_not(chosen: Sequence[Sequence[tuple[int, ...]]], forced: Mapping[int, str]) -> str | None:
    """Why chance cannot be compared with; None: it can."""
    if not all(chosen):
        return "its answers do not tell which levels were read"
    prompts = [one for of in chosen for one in of]
    if any(len({*one}) > 1 for one in prompts):
        return "pictures of one question were read at several levels, which no forced run does"
    lacking = sorted({one[0] for one in prompts} - {*forced})
    if lacking:
        return f"no system of the run forces level {', '.join(map(str, lacking))}, which it chose"
    return None


def _shares(chosen: Sequence[Sequence[tuple[int, ...]]], levels: Sequence[int]) -> np.ndarray:
    """(n, levels) of each question, how many of its wordings were read at each level."""
    shares = np.zeros((len(chosen), len(levels)))
    for row, prompts in zip(shares, chosen, strict=True):
        for one in prompts:
            row[levels.index(one[0])] += 1 / len(prompts)
    return shares


def _of_equal_cost(shares: np.ndarray, levels: Sequence[_Column], own: _Column) -> np.ndarray:
    """The shares, moved towards the dearest level, or the cheapest, until they cost what the system
    costs on the average; as they are where nobody counted tokens."""
    costs, goal = np.array([of.tokens.mean() for of in levels]), own.tokens.mean()
    if not np.isfinite(costs).all() or not np.isfinite(goal):
        return shares
    cost = shares @ costs
    # Mostly the finest and the coarsest; as released, some levels of a long picture lose rows.
    end = int(costs.argmax() if goal > cost else costs.argmin())
    if costs[end] == cost:
        return shares
    moved = min(1.0, max(0.0, float((goal - cost) / (costs[end] - cost))))
    return np.asarray((1 - moved) * shares + moved * np.eye(len(shares))[end])


def _mixed(levels: Sequence[_Column], weights: np.ndarray) -> _Column:
    """What is expected of drawing a question's level with these weights, (levels,) or (n, levels).

    Rounded, so that a question that every level answers rightly is one that chance does too.
    """
    weights = np.broadcast_to(weights, (len(levels[0].credit), len(levels))).T  # (levels, n)
    credit = np.stack([of.credit for of in levels])
    tokens = np.stack([of.tokens for of in levels])
    return _Column(
        np.round((weights * credit).sum(0), 12),
        # What was never drawn costs nothing, though nobody counted it.
        np.where(weights > 0, weights * tokens, 0.0).sum(0),
        np.full(len(levels[0].credit), np.nan),  # nobody spent them
    )


def _best(levels: Sequence[_Column]) -> _Column:
    """The cheapest of the levels that earn most, question by question; where nobody counted
    tokens, the coarsest of them."""
    credit = np.stack([of.credit for of in levels])
    tokens = np.stack([of.tokens for of in levels])
    costs = np.where(np.isnan(tokens).any(0), np.arange(len(levels))[:, None], tokens)
    best = np.where(credit == credit.max(0), costs, np.inf).argmin(0)
    return _mixed(levels, np.eye(len(levels))[best])


def _known_mean(values: np.ndarray, clusters: Sequence[str], seed: int) -> dict[str, Any]:
    known = ~np.isnan(values)
    return mean(
        values[known].tolist(),
        invalid=int((~known).sum()),
        clusters=[cluster for cluster, told in zip(clusters, known, strict=True) if told],
        seed=seed,
    ).to_dict()
