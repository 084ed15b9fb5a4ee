"""The box and the mask of one annotation in COCO's form, whatever tool wrote it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from seal.building.formats.fields import box_inside, flag, given
from seal.data.masks import RLE, rle_area, rle_runs, segmentation_to_rle
from seal.geometry import Box


def annotation_box(annotation: dict[str, Any], width: int, height: int) -> Box | None:
    """The box inside a width x height image, or None when nothing of it is left.

    Numbers may be texts. Without `bbox`, or where it is the placeholder 0, 0, 0, 0 of a tool that
    knows masks alone, it is the extent of the segmentation.

    Raises:
        ValueError: there is neither, or the box is no four finite numbers.
    """
    xywh = given(annotation.get("bbox"))
    if xywh in (None, []) or (xywh == [0, 0, 0, 0] and has_mask(annotation)):
        xywh = _extent(given(annotation.get("segmentation")), width, height)
    return box_inside(xywh, width, height)


def annotation_mask(
    annotation: dict[str, Any], width: int, height: int, counts: Counter[str]
) -> RLE | None:
    """The mask on a width x height image; None: it has none that can be used.

    A broken one, and one that covers no pixel, are counted.
    """
    segmentation = given(annotation.get("segmentation"))
    if not segmentation:
        return None
    try:
        mask = segmentation_to_rle(segmentation, height, width)
    except (ValueError, TypeError, KeyError, OverflowError):
        counts["broken segmentations"] += 1
        return None
    if rle_area(mask) == 0:
        counts["masks without a pixel"] += 1
        return None
    return mask


def has_mask(annotation: dict[str, Any]) -> bool:
    """Whether its `segmentation` is more than a placeholder; cheap, it may still be broken.

    Placeholders are `[]`, polygons without width or height, and an RLE without a pixel.
    """
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, list):
        return any(map(_has_extent, segmentation))
    if not isinstance(segmentation, dict):
        return False
    runs = segmentation.get("counts")
    if isinstance(runs, list):
        return any(runs[1::2])
    try:
        return bool(rle_runs(segmentation)[1::2].any())
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def is_crowd(annotation: dict[str, Any]) -> bool:
    """Whether it covers many instances at once; a missing `iscrowd` says no.

    What some sets mark with `ignore` is there as well, and not annotated as one object.
    """
    crowd, ignored = annotation.get("iscrowd"), annotation.get("ignore")
    return flag(crowd, "iscrowd") or (ignored is not None and flag(ignored, "ignore"))


def _has_extent(polygon: object) -> bool:
    """Whether a polygon has both width and height."""
    return (
        isinstance(polygon, list)
        and len(polygon) >= 6
        and any(x != polygon[0] for x in polygon[2::2])
        and any(y != polygon[1] for y in polygon[3::2])
    )


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
