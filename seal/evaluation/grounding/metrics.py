"""Box accuracy, cIoU and gIoU of referring expressions, from the lines of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from seal.data.masks import RLE, rle_area, rle_to_mask
from seal.evaluation.task import Prediction
from seal.geometry import Box
from seal.metrics.boxes import best_iou, is_hit
from seal.metrics.intervals import mean, proportion
from seal.metrics.masks import ciou, giou, overlap

OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class GroundingScore:
    """What one answer earns; None: nothing of the kind is annotated, or was predicted."""

    image: str
    hit: bool | None  # the best-scored box overlaps a true one by more than half
    iou: float | None  # by how much
    pixels: tuple[int, int] | None  # (intersection, union) of the masks
    failed: bool  # the image could not be read: all of it is missed


def score(line: Prediction) -> GroundingScore:
    """Judge one line, as validation in training does (`seal.training.validate.search_sums`)."""
    referred, answer = line["referred"], line["answer"]
    boxes = [Box(*edges) for edges in referred["boxes"]]
    truth: RLE | None = referred["mask"]
    masked = truth is not None and line["masks"]
    if answer is None:
        missed = (0, rle_area(truth)) if masked and truth is not None else None
        none = None if not boxes else False
        return GroundingScore(referred["image"], none, 0.0 if boxes else None, missed, True)
    box = None if answer["box"] is None else Box(*answer["box"])
    pixels = None
    if masked and truth is not None:
        pixels = overlap(rle_to_mask(answer["mask"]), rle_to_mask(truth))
    return GroundingScore(
        referred["image"],
        is_hit(box, boxes) if boxes else None,
        best_iou(box, boxes) if boxes else None,
        pixels,
        False,
    )


def grounding_metrics(predictions: Sequence[Prediction], *, seed: int = 0) -> dict[str, Any]:
    """What metrics.json holds of the expressions: by data set, and over all if there are several.

    Intervals resample images: expressions of one image are not independent.
    """
    by_source: dict[str, list[GroundingScore]] = {}
    for line in predictions:
        by_source.setdefault(line["referred"]["source"], []).append(score(line))
    found = {source: _metrics(scores, seed) for source, scores in by_source.items()}
    if len(by_source) != 1:
        found[OVERALL] = _metrics([one for scores in by_source.values() for one in scores], seed)
    return found


def _metrics(scores: Sequence[GroundingScore], seed: int) -> dict[str, Any]:
    boxed = [one for one in scores if one.hit is not None]
    images = [one.image for one in boxed]
    failed = sum(one.failed for one in boxed)
    found: dict[str, Any] = {
        "box_accuracy": proportion(
            [bool(one.hit) for one in boxed], invalid=failed, clusters=images, seed=seed
        ).to_dict(),
        "box_iou": mean(
            [one.iou or 0.0 for one in boxed], invalid=failed, clusters=images, seed=seed
        ).to_dict(),
    }
    masked = [one for one in scores if one.pixels is not None]
    if masked:
        pixels = [one.pixels or (0, 0) for one in masked]
        images = [one.image for one in masked]
        failed = sum(one.failed for one in masked)
        found["cIoU"] = ciou(pixels, invalid=failed, clusters=images, seed=seed).to_dict()
        found["gIoU"] = giou(pixels, invalid=failed, clusters=images, seed=seed).to_dict()
    return found
