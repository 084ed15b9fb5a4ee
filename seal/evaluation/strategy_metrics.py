"""How surely and how soon each strategy finds the targets, from the lines of a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seal.evaluation.task import Prediction, errors_of, target_from_dict
from seal.evaluation.tasks.visual_search import VisualSearch
from seal.geometry import Box
from seal.metrics.boxes import is_hit
from seal.metrics.intervals import mean, proportion
from seal.metrics.metric import Metric
from seal.metrics.search_length import search_lengths
from seal.search.strategies import EVERY

RECALL_AT = (1, 2, 3, 5, 8, 10, 15, 20, 30, 40, 60, 80)  # visits
# One looks once: among searches it would leave only the targets that need no search to compare. The
# other looks at everything, whatever it finds.
NOT_SEARCHES = ("whole_image_detector", EVERY)


@dataclass(frozen=True, slots=True)
class Score:
    """What one search earns."""

    image: str  # targets of one picture are resampled together
    present: bool  # whether there is anything to find
    group: str
    found: bool  # what the search says
    hit: bool  # the accepted box is on the target
    boxes_right: tuple[bool, ...]  # of every accepted box
    depth: int | None  # of the region that gave the box; the whole image is 1
    num_steps: int
    visits: int
    calls: int
    failed: bool = False  # the image could not be read
    stopped_early: bool | None = None  # by the budget; None: it had none
    near_ties: tuple[str, ...] | None = None  # kinds of close decisions; None: an older line


def score(prediction: Prediction) -> Score:
    """Judge one line; the box of the highest score is the search's answer."""
    target = target_from_dict(prediction["target"])
    image = prediction["target"].get("image", prediction["id"])
    result = prediction["result"]
    present = bool(target.boxes)
    if result is None:
        return Score(image, present, target.group, False, False, (), None, 0, 0, 0, failed=True)
    boxes = [Box(*edges) for edges in result["boxes"]]
    best = Box(*result["best_box"]) if result["found"] and result["best_box"] else None
    depth = result["path"][result["num_steps"] - 1]["depth"] if result["found"] else None
    return Score(
        image=image,
        present=present,
        group=target.group,
        found=result["found"],
        hit=is_hit(best, target.boxes),
        boxes_right=tuple(is_hit(box, target.boxes) for box in boxes),
        depth=depth,
        num_steps=result["num_steps"],
        visits=len(result["path"]),
        calls=sum(result["calls"].values()),
        stopped_early=_ended_early(result),
        near_ties=_kinds(result),
    )


def _ended_early(result: Mapping[str, Any]) -> bool | None:
    """Whether its budget ended a search; None: it had none."""
    limited = bool(result.get("config", {}).get("budget"))
    return result["stopped_early"] is not None if limited else None


def _kinds(result: Mapping[str, Any]) -> tuple[str, ...] | None:
    return tuple(tie["kind"] for tie in result["near_ties"]) if "near_ties" in result else None


def strategy_metrics(
    predictions: Sequence[Prediction], *, reference: str = "guided", seed: int = 0
) -> dict[str, Any]:
    """Everything in metrics.json; a pure function of the predictions.

    reference: the strategy that the others' lengths are compared with, if it was run.
    """
    scores: dict[str, dict[str, Score]] = {}
    for line in predictions:
        scores.setdefault(line["strategy"], {})[line["id"]] = score(line)
    ids = list(dict.fromkeys(line["id"] for line in predictions))
    if any(set(of) != set(ids) for of in scores.values()):
        raise ValueError("some strategies lack targets: let the run finish by the same command")
    searches = [name for name in scores if name not in NOT_SEARCHES]
    if reference not in searches:
        reference = next(iter(searches), reference)
    present = [i for i in ids if any(of[i].present for of in scores.values())]
    pictures = Counter(
        line["target"].get("meta", {}).get("picture")
        for line in {line["id"]: line for line in predictions}.values()
    )
    return {
        "task": _one(predictions, "task", VisualSearch.name),
        "task_version": _one(predictions, "task_version", VisualSearch.version),
        "protocol": ", ".join(sorted({line["protocol"] for line in predictions})),
        "seed": seed,
        "num_targets": len(ids),
        "errors": errors_of(predictions),
        "reference": reference,
        "strategies": {name: _of_strategy(list(of.values()), seed) for name, of in scores.items()},
        "search_length": _lengths(scores, present, reference, seed),
        "need_search": _need_search(scores, present, reference, seed),
        # Where the benchmark says it: whether there was anything to see.
        **({"pictures": dict(pictures)} if None not in pictures else {}),
    }


def _lengths(
    scores: Mapping[str, Mapping[str, Score]], ids: Sequence[str], reference: str, seed: int
) -> dict[str, Any]:
    """Search lengths of the targets `ids`, of what searches."""
    lengths = {
        name: [float(of[i].num_steps) if of[i].hit else None for i in ids]
        for name, of in scores.items()
        if name not in NOT_SEARCHES
    }
    if not lengths:
        return {}
    clusters = [scores[reference][i].image for i in ids]
    return search_lengths(lengths, reference, clusters=clusters, seed=seed).to_dict()


def _need_search(
    scores: Mapping[str, Mapping[str, Score]], ids: Sequence[str], reference: str, seed: int
) -> dict[str, Any]:
    """The same of the targets for which the reference looked further than at the whole image.

    Every strategy looks at that first and stops by the same rule: where they share a detector they
    agree on which targets these are. One whose image did not open counts as needing a search.
    """
    if reference not in scores:
        return {}
    need = [i for i in ids if scores[reference][i].visits != 1]
    return {
        "num_targets": len(need),
        "strategies": {
            name: _group_metrics([of[i] for i in need], seed)
            for name, of in scores.items()
            if name not in NOT_SEARCHES
        },
        "search_length": _lengths(scores, need, reference, seed),
    }


def _one(predictions: Sequence[Prediction], key: str, default: str) -> str:
    """What all lines say; `default` of lines that do not say it."""
    return ", ".join(sorted({line.get(key, default) for line in predictions})) or default


def _of_strategy(scores: Sequence[Score], seed: int) -> dict[str, Any]:
    groups = dict.fromkeys(score.group for score in scores)
    depths = sorted({score.depth for score in scores if score.depth is not None})
    present = [score for score in scores if score.present]
    return {
        **_group_metrics(scores, seed),
        **_how_sure(scores, seed),
        "recall_at": {
            str(k): _share(present, [s.hit and s.num_steps <= k for s in present], seed).to_dict()
            for k in RECALL_AT
        },
        "by_depth": {
            str(depth): {
                "found": sum(s.depth == depth for s in scores),
                "precision": _precision([s for s in scores if s.depth == depth], seed),
            }
            for depth in depths
        },
        "by_group": {
            group: _group_metrics([s for s in scores if s.group == group], seed)
            for group in groups
            if group
        },
    }


def _how_sure(scores: Sequence[Score], seed: int) -> dict[str, Any]:
    """How many searches a budget ended, where there was one, and how many another float order could
    turn, with the number of such decisions by kind."""
    metrics: dict[str, Any] = {}
    limited = [score for score in scores if score.stopped_early is not None]
    if limited:
        ended = [bool(score.stopped_early) for score in limited]
        metrics["stopped_early"] = _share(limited, ended, seed).to_dict()
    told = [(score, score.near_ties) for score in scores if score.near_ties is not None]
    if told:
        close = [bool(ties) for _, ties in told]
        metrics["near_tie"] = _share([score for score, _ in told], close, seed).to_dict()
        metrics["near_ties"] = dict(Counter(kind for _, ties in told for kind in ties))
    return metrics


def _group_metrics(scores: Sequence[Score], seed: int) -> dict[str, Any]:
    present = [score for score in scores if score.present]
    absent = [score for score in scores if not score.present]
    hit = [score for score in present if score.hit]
    done = [score for score in scores if not score.failed]
    missed, failed = len(present) - len(hit), len(scores) - len(done)
    return {
        "hit": _share(present, [s.hit for s in present], seed).to_dict(),
        "found": _share(present, [s.found for s in present], seed).to_dict(),
        "precision": _precision(scores, seed),
        "false_alarm": _share(absent, [s.found for s in absent], seed).to_dict(),
        "length": _mean(hit, [s.num_steps for s in hit], seed, invalid=missed).to_dict(),
        "visits": _mean(done, [s.visits for s in done], seed, invalid=failed).to_dict(),
        "model_calls": _mean(done, [s.calls for s in done], seed, invalid=failed).to_dict(),
    }


def _precision(scores: Sequence[Score], seed: int) -> dict[str, Any]:
    """Of the boxes a search was sure of, how many are on their target."""
    right = [(score.image, right) for score in scores for right in score.boxes_right]
    images = [image for image, _ in right]
    return proportion([one for _, one in right], clusters=images, seed=seed).to_dict()


def _share(scores: Sequence[Score], outcomes: Sequence[bool], seed: int) -> Metric:
    failed = sum(score.failed for score in scores)
    images = [score.image for score in scores]
    return proportion(outcomes, invalid=failed, clusters=images, seed=seed)


def _mean(scores: Sequence[Score], values: Sequence[float], seed: int, *, invalid: int) -> Metric:
    images = [score.image for score in scores]
    return mean(values, invalid=invalid, clusters=images, seed=seed)
