"""The box and the mask of one annotation in COCO's form, whatever tool wrote it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from seal.building.formats.fields import box_inside, flag
from seal.data.masks import RLE, segmentation_to_rle
from seal.geometry import Box


def annotation_box(annotation: dict[str, Any], width: int, height: int) -> Box | None:
    """The box inside a width x height image, or None when nothing of it is left.

    Numbers may be texts. Without `bbox` it is the extent of the segmentation.

    Raises:
        ValueError: there is neither, or the box is no four finite numbers.
    """
    xywh = annotation.get("bbox")
    if xywh is None or xywh == []:
        xywh = _extent(annotation.get("segmentation"), width, height)
    return box_inside(xywh, width, height)


def annotation_mask(
    annotation: dict[str, Any], width: int, height: int, counts: Counter[str]
) -> RLE | None:
    """The mask on a width x height image; None: it has none, or a broken one, which is counted."""
    segmentation = annotation.get("segmentation")
    if not segmentation:
        return None
    try:
        return segmentation_to_rle(segmentation, height, width)
    except (ValueError, TypeError, KeyError, OverflowError):
        counts["broken segmentations"] += 1
        return None


def is_crowd(annotation: dict[str, Any]) -> bool:
    """Whether it covers many instances at once; a missing `iscrowd` says no."""
    return flag(annotation.get("iscrowd"), "iscrowd")


def _extent(segmentation: object, width: int, height: int) -> list[float]:
    from pycocotools import mask as coco_mask

    if not segmentation:
        raise ValueError("an annotation has neither a bbox nor a segmentation")
    try:
        if isinstance(segmentation, list):  # exact, where a mask has whole pixels
            xs = [float(x) for polygon in segmentation for x in polygon[::2]]
            ys = [float(y) for polygon in segmentation for y in polygon[1::2]]
            return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        rle = segmentation_to_rle(segmentation, height, width)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ValueError(
            f"an annotation has no bbox, and its segmentation is broken: {error}"
        ) from error
    box: list[float] = coco_mask.toBbox({**rle, "counts": rle["counts"].encode("ascii")}).tolist()
    return box
