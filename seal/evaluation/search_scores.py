"""How the searches behind an answer went, for any benchmark: found targets, length, calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seal.evaluation.task import AnnotatedTarget, Prediction, TaskQuestion
from seal.geometry import Box
from seal.metrics.boxes import HIT_IOU, best_iou
from seal.metrics.intervals import mean, proportion


def search_score(question: TaskQuestion, line: Prediction) -> dict[str, Any]:
    """What one answer's searches found and took; {} where there is no answer."""
    answer = line["answer"]
    if answer is None:
        return {}
    score: dict[str, Any] = {}
    if "seconds" in answer.get("cost", {}):
        score["seconds"] = sum(answer["cost"]["seconds"].values())
    # Answers of other programs come without searches, and `none` makes none.
    if line["system"] != "none" and "searches" in answer:
        searches = answer["searches"]
        score["searched"] = bool(searches)
        score["target_hits"] = [_steps_to(t, searches) for t in question.targets if t.boxes]
        score["visits"] = sum(len(search["path"]) for search in searches)
        score["calls"] = sum(sum(search["calls"].values()) for search in searches)
    return score


def search_metrics(scores: Sequence[Mapping[str, Any]], seed: int) -> dict[str, Any]:
    """Of one split; {} where nothing was searched or timed."""
    metrics: dict[str, Any] = {}
    timed = [score["seconds"] for score in scores if "seconds" in score]
    if timed:
        # Systems of one run share what they can: to time a system, run it alone.
        metrics["seconds"] = mean(timed, seed=seed).to_dict()
    searched = [score for score in scores if "searched" in score]
    if searched:
        hits = [steps for score in searched for steps in score["target_hits"]]
        lengths = [float(steps) for steps in hits if steps is not None]
        metrics |= {
            "searched": proportion([s["searched"] for s in searched]).to_dict(),
            "target_hit": proportion([steps is not None for steps in hits]).to_dict(),
            "search_length": mean(lengths, invalid=len(hits) - len(lengths), seed=seed).to_dict(),
            "visits": mean([s["visits"] for s in searched], seed=seed).to_dict(),
            "model_calls": mean([s["calls"] for s in searched], seed=seed).to_dict(),
        }
    return metrics


def _steps_to(target: AnnotatedTarget, searches: Sequence[Mapping[str, Any]]) -> int | None:
    """Length of the search that found an annotated target, whatever name it was sought by."""
    for search in searches:
        boxes = [Box(*edges) for edges in search["boxes"]] if search["found"] else []
        if any(best_iou(box, target.boxes) > HIT_IOU for box in boxes):
            steps: int = search["num_steps"]
            return steps
    return None
