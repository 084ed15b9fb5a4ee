"""Whether a COCO-format file can be what it says: its boxes, and whom its annotations belong to."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

from seal.building.coco.annotation import has_mask
from seal.building.coco.images import find_image
from seal.building.coco.index import CocoIndex
from seal.building.formats.fields import box_numbers, image_size
from seal.building.formats.image_lookup import ImageFile, ImageFiles
from seal.building.formats.plausible_boxes import Sample, check_boxes

_IMAGES = 1000  # that are looked at, from all parts of the file
_FEW = 5  # images or annotations; fewer prove nothing
_SOME = 0.02  # share of annotations that is told


def check_annotations(index: CocoIndex, files: ImageFiles, *, check: bool, insist: bool) -> None:
    """Refuse what can hardly be right, and tell what is doubtful; what is told is counted.

    Args:
        check: the images are there; one whose entry has no size says it.
        insist: boxes are taken as they are; doubts are told all the same.

    Raises:
        ValueError: boxes are in other units or another order; or all annotations are of one image.
    """
    total, on_image = index.num_annotations, index.annotations_by_image
    listed = int(on_image.sum())
    if total and not listed:
        raise ValueError(
            f"{index.path}: none of {total} annotations is of a listed image: their image_id are "
            "other ids than those of the images"
        )
    if len(on_image) >= _FEW and listed >= _FEW and on_image.max() == listed:
        entry = index.entry(int(on_image.argmax()))
        message = (
            f"{index.path}: all {listed} annotations are of image id {entry['id']!r}, one of "
            f"{len(on_image)}: is image_id written to every annotation?"
        )
        if not insist:
            raise ValueError(f"{message}; check_boxes=false believes them")
        _tell(index, message, "annotations of one image alone", listed)
    unknown = index.unknown_annotations
    if unknown >= max(2, _SOME * total):
        message = f"{index.path}: {unknown} of {total} annotations are of no listed category"
        _tell(index, message, "annotations of no listed category", unknown)
    if total - listed >= max(2, _SOME * total):
        message = f"{index.path}: {total - listed} of {total} annotations are of no listed image"
        _tell(index, message, "annotations of no listed image", total - listed)
    samples = _samples(index, files, check)
    index.counts += check_boxes(samples, index.path, insist=insist)
    twice = _twice(index)
    if twice >= max(2, _SOME * listed):
        message = f"{index.path}: {twice} annotations repeat image, class and box of another"
        _tell(index, message, "annotations that repeat another", twice)


def _tell(index: CocoIndex, message: str, kind: str, count: int) -> None:
    print(f"WARNING: {message}", file=sys.stderr)
    index.counts[f"WARNING: {kind}"] = count


def _rows(index: CocoIndex) -> range:
    return range(0, len(index), max(1, len(index) // _IMAGES))


def _samples(index: CocoIndex, files: ImageFiles, check: bool) -> Iterator[Sample]:
    """Boxes of some images. What is broken is for the builder, which names its place."""
    for row in _rows(index):
        entry, annotations = index.read(row)
        boxes = [a for a in annotations if a.get("bbox")]
        size = None
        try:
            if entry.get("width") is not None and entry.get("height") is not None:
                size = image_size(entry)
            elif check and boxes:
                found = find_image(entry, files)
                size = (found.width, found.height) if isinstance(found, ImageFile) else None
        except (ValueError, KeyError, TypeError):
            continue
        for annotation in boxes if size is not None else ():
            assert size is not None
            try:
                yield box_numbers(annotation["bbox"]), size, _extent(annotation)
            except ValueError:
                continue


def _extent(annotation: dict[str, object]) -> tuple[float, ...] | None:
    """x, y, width, height of the polygons of an annotation; None: it has none, or broken ones."""
    polygons = annotation.get("segmentation")
    if not isinstance(polygons, list) or not has_mask(annotation):
        return None
    try:
        points = np.concatenate([np.array(p, dtype=np.float64).reshape(-1, 2) for p in polygons])
    except (ValueError, TypeError, OverflowError):
        return None
    low, high = points.min(0), points.max(0)
    return (*low.tolist(), *(high - low).tolist())


def _twice(index: CocoIndex) -> int:
    """Annotations of the looked-at images that say again what another one says."""
    found = 0
    for row in _rows(index):
        seen = set()
        for annotation in index.annotations(row):
            key = (str(annotation.get("category_id")), str(annotation.get("bbox")))
            found += key in seen and bool(annotation.get("bbox"))
            seen.add(key)
    return found
