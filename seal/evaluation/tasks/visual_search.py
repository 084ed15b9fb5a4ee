"""Visual search: how surely and how soon each strategy finds the annotated targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from seal.evaluation.benchmark_images import BenchmarkImages
from seal.evaluation.task import (
    AnnotatedTarget,
    Prediction,
    TaskQuestion,
    merged,
    target_from_dict,
    target_to_dict,
)
from seal.geometry import Box
from seal.metrics.boxes import is_hit
from seal.metrics.intervals import mean, proportion
from seal.metrics.search_length import search_lengths

RECALL_AT = (1, 3, 5, 10, 20)  # visits
# Looks once: among searches it would leave only the targets that need no search to compare.
NOT_SEARCHES = ("whole_image_detector",)


@dataclass(frozen=True, slots=True)
class SearchTarget:
    """One thing to look for in one image."""

    id: str
    image: str  # a name among the benchmark's pictures
    target: AnnotatedTarget
    meta: dict[str, Any] = field(default_factory=dict)  # what else is known of it; JSON

    def to_dict(self) -> dict[str, Any]:
        """What a prediction line holds."""
        more = {"meta": self.meta} if self.meta else {}
        return {"id": self.id, "image": self.image, **target_to_dict(self.target), **more}


@dataclass(frozen=True, slots=True)
class Score:
    """What one search earns."""

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


class SearchTask(Protocol):
    """Targets to look for, and the pictures they are in."""

    name: str
    version: str  # changes whenever a score could
    images: BenchmarkImages

    def targets(self) -> list[SearchTarget]:
        """All of them, in a fixed order; every name once an image."""
        ...


class VisualSearch:
    """The annotated targets of a benchmark, sought without any VQA LLM."""

    name = "visual_search"
    version = "1"

    def __init__(self, images: BenchmarkImages, questions: Sequence[TaskQuestion]) -> None:
        self.images = images
        self.questions = questions

    def targets(self) -> list[SearchTarget]:
        """Every name once an image, with all its boxes, in the order of the questions."""
        seen: dict[tuple[str, str], SearchTarget] = {}
        for question in self.questions:
            assert question.image is not None  # the reader refuses questions without
            for target in question.targets:
                key = question.image, target.name
                name = f"{question.id}/{target.name}"
                first = seen.setdefault(key, SearchTarget(name, question.image, target))
                boxes = merged(first.target.boxes, target.boxes)
                seen[key] = replace(first, target=replace(first.target, boxes=boxes))
        return list(seen.values())


def score(prediction: Prediction) -> Score:
    """Judge one line; the box of the highest score is the search's answer."""
    target = target_from_dict(prediction["target"])
    result = prediction["result"]
    present = bool(target.boxes)
    if result is None:
        return Score(present, target.group, False, False, (), None, 0, 0, 0, failed=True)
    boxes = [Box(*edges) for edges in result["boxes"]]
    best = Box(*result["best_box"]) if result["found"] and result["best_box"] else None
    depth = result["path"][result["num_steps"] - 1]["depth"] if result["found"] else None
    return Score(
        present=present,
        group=target.group,
        found=result["found"],
        hit=is_hit(best, target.boxes),
        boxes_right=tuple(is_hit(box, target.boxes) for box in boxes),
        depth=depth,
        num_steps=result["num_steps"],
        visits=len(result["path"]),
        calls=sum(result["calls"].values()),
    )


def search_metrics(
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
        "errors": sorted({line["error"] for line in predictions if line["error"]}),
        "reference": reference,
        "strategies": {
            name: _strategy_metrics(list(of.values()), seed) for name, of in scores.items()
        },
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
    return search_lengths(lengths, reference, seed=seed).to_dict() if lengths else {}


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


def _strategy_metrics(scores: Sequence[Score], seed: int) -> dict[str, Any]:
    groups = dict.fromkeys(score.group for score in scores)
    depths = sorted({score.depth for score in scores if score.depth is not None})
    present = [score for score in scores if score.present]
    recall = {
        str(k): proportion([s.hit and s.num_steps <= k for s in present]).to_dict()
        for k in RECALL_AT
    }
    return {
        **_group_metrics(scores, seed),
        "recall_at": recall,
        "by_depth": {
            str(depth): {
                "found": sum(s.depth == depth for s in scores),
                "precision": _precision([s for s in scores if s.depth == depth]),
            }
            for depth in depths
        },
        "by_group": {
            group: _group_metrics([s for s in scores if s.group == group], seed)
            for group in groups
            if group
        },
    }


def _group_metrics(scores: Sequence[Score], seed: int) -> dict[str, Any]:
    present = [score for score in scores if score.present]
    absent = [score for score in scores if not score.present]
    hits = [float(score.num_steps) for score in present if score.hit]
    return {
        "hit": proportion([s.hit for s in present], invalid=_failed(present)).to_dict(),
        "found": proportion([s.found for s in present], invalid=_failed(present)).to_dict(),
        "precision": _precision(scores),
        "false_alarm": proportion([s.found for s in absent], invalid=_failed(absent)).to_dict(),
        "length": mean(hits, invalid=len(present) - len(hits), seed=seed).to_dict(),
        "visits": mean([s.visits for s in scores if not s.failed], seed=seed).to_dict(),
        "model_calls": mean([s.calls for s in scores if not s.failed], seed=seed).to_dict(),
    }


def _precision(scores: Sequence[Score]) -> dict[str, Any]:
    """Of the boxes a search was sure of, how many are on their target."""
    return proportion([right for s in scores for right in s.boxes_right]).to_dict()


def _failed(scores: Sequence[Score]) -> int:
    return sum(score.failed for score in scores)
