"""How the searches behind an answer went, for any benchmark: found targets, length, calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seal.evaluation.shown_systems import search_part
from seal.evaluation.task import AnnotatedTarget, Prediction, TaskQuestion
from seal.geometry import Box
from seal.metrics.boxes import HIT_IOU, best_iou
from seal.metrics.intervals import mean, proportion


def search_score(question: TaskQuestion, line: Prediction) -> dict[str, Any]:
    """What one answer's searches found and took; without an answer, targets that were missed."""
    answer = line["answer"]
    if answer is None:
        return {"target_hits": [None for target in question.targets if target.boxes]}
    score: dict[str, Any] = {}
    if "seconds" in answer.get("cost", {}):
        score["seconds"] = sum(answer["cost"]["seconds"].values())
    # Answers of other programs come without searches, and `none` makes none.
    if search_part(line["system"]) != "none" and "searches" in answer:
        searches = answer["searches"]
        score["searched"] = bool(searches)
        score["target_hits"] = [_steps_to(t, searches) for t in question.targets if t.boxes]
        score["visits"] = sum(len(search["path"]) for search in searches)
        score["calls"] = sum(sum(search["calls"].values()) for search in searches)
        if any(search.get("config", {}).get("budget") for search in searches):
            score["stopped_early"] = any(search["stopped_early"] is not None for search in searches)
    return score


def search_metrics(
    scores: Sequence[Mapping[str, Any]], clusters: Sequence[str], seed: int
) -> dict[str, Any]:
    """Of one split; {} where nothing was searched or timed. clusters: the picture of each score.

    What a question without an answer had to find is missed, and told as invalid.
    """
    metrics: dict[str, Any] = {}
    owned = list(zip(scores, clusters, strict=True))

    def average(part: str) -> dict[str, Any]:
        of = [(float(score[part]), cluster) for score, cluster in owned if part in score]
        values, pictures = [value for value, _ in of], [cluster for _, cluster in of]
        lacking = len(scores) - len(of)
        return mean(values, invalid=lacking, clusters=pictures, seed=seed).to_dict()

    if any("seconds" in score for score in scores):
        # Systems of one run share what they can: to time a system, run it alone.
        metrics["seconds"] = average("seconds")
    if any("searched" in score for score in scores):
        hits = [
            (steps, cluster, "searched" not in score)
            for score, cluster in owned
            for steps in score.get("target_hits", ())
        ]
        found = [(float(steps), cluster) for steps, cluster, _ in hits if steps is not None]
        metrics |= {
            "searched": proportion(
                [score.get("searched", False) for score in scores],
                invalid=sum("searched" not in score for score in scores),
                clusters=clusters,
                seed=seed,
            ).to_dict(),
            "target_hit": proportion(
                [steps is not None for steps, *_ in hits],
                invalid=sum(failed for *_, failed in hits),
                clusters=[cluster for _, cluster, _ in hits],
                seed=seed,
            ).to_dict(),
            "search_length": mean(
                [steps for steps, _ in found],
                invalid=len(hits) - len(found),
                clusters=[cluster for _, cluster in found],
                seed=seed,
            ).to_dict(),
            "visits": average("visits"),
            "model_calls": average("calls"),
        }
    if any("stopped_early" in score for score in scores):  # of those that searched
        metrics["stopped_early"] = average("stopped_early")
    return metrics


def _steps_to(target: AnnotatedTarget, searches: Sequence[Mapping[str, Any]]) -> int | None:
    """Length of the search that found an annotated target, whatever name it was sought by."""
    for search in searches:
        boxes = [Box(*edges) for edges in search["boxes"]] if search["found"] else []
        if any(best_iou(box, target.boxes) > HIT_IOU for box in boxes):
            steps: int = search["num_steps"]
            return steps
    return None
