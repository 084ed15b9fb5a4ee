"""COCO-format detection annotations to search-model records: every class an expression."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from seal.building.coco.annotation import annotation_box, annotation_mask, is_crowd
from seal.building.coco.images import find_image, image_files
from seal.building.coco.index import CocoIndex
from seal.building.coco.plausible import check_annotations
from seal.building.coco.same_photo import merge_same_photos
from seal.building.formats.entry_errors import ErrorsAt
from seal.building.formats.image_lookup import ImageFile, ImageFiles
from seal.building.records.source_files import require_file, require_sources, source_settings
from seal.building.records.writer import BuildConfig, Outcome, build_set
from seal.data.masks import RLE, mask_to_rle, merge_rles
from seal.data.record_set import Expression, Record, RecordSet
from seal.geometry import Box


@dataclass(kw_only=True, slots=True)
class CocoBuildConfig(BuildConfig):
    """`annotations` is a COCO instances file, or anything in its form."""

    source: str = "coco"  # goes into ids and records
    license: str = "unknown"  # of images that name none
    num_absent: int = 3  # classes asked for that are not in the image
    max_boxes: int | None = 100  # of one class in one image; the rest is left out; None: all
    masks: bool = True  # False: boxes alone
    absent_masks: bool = True  # an absent class has an empty mask where present ones have masks
    check_images: bool = True  # False: the images are elsewhere; names and sizes are believed

    def __post_init__(self) -> None:
        # Not super(): a dataclass with slots is a new class, which its bare form does not know.
        BuildConfig.__post_init__(self)
        if self.num_absent < 0 or (self.max_boxes is not None and self.max_boxes < 1):
            raise ValueError(
                f"num_absent={self.num_absent} must be >= 0, max_boxes={self.max_boxes} >= 1"
            )


class Classes(Protocol):
    """What the classes of a source are called, and which of them an image is known to lack."""

    counts: Counter[str]  # what is wrong with them

    def phrase(self, category: str, rng: np.random.Generator) -> str | None:
        """What the class is asked by; None: it has no name of its own."""
        ...

    def absent(
        self, image: dict[str, Any], present: set[str], num: int, rng: np.random.Generator
    ) -> list[str]:
        """`num` classes, or all if there are fewer, that are not in the image."""
        ...

    def incomplete(self, image: dict[str, Any]) -> set[str]:
        """Classes that are in the image but not everywhere annotated."""
        ...


class CocoClasses:
    """Every class is annotated in every image, and asked for by its name as it is.

    A class of which the whole file has no annotation is never said to be absent: many tools list
    classes that nobody looked for.
    """

    def __init__(self, index: CocoIndex) -> None:
        self.counts: Counter[str] = Counter()
        self._names = index.categories
        self._order = [c for c in index.categories if c in index.supervision.annotated]

    def phrase(self, category: str, rng: np.random.Generator) -> str:
        return self._names[category]

    def absent(
        self, image: dict[str, Any], present: set[str], num: int, rng: np.random.Generator
    ) -> list[str]:
        return draw_absent([c for c in self._order if c not in present], num, rng)

    def incomplete(self, image: dict[str, Any]) -> set[str]:
        return set()


class CocoMaker:
    """Makes the record of one image.

    Absence is taught only as presence is. An absent class has an empty mask if the class is taught
    by masks in this file and every class that the image shows has its mask; a class that is not
    taught by boxes, one of crowds alone say, is not asked for (`supervision.py`).
    """

    def __init__(
        self, config: CocoBuildConfig, index: CocoIndex, classes: Classes, files: ImageFiles
    ) -> None:
        self.config = config
        self.index = index
        self.classes = classes
        self.files = files
        self._places = {category: place for place, category in enumerate(index.categories)}
        self._by_masks = index.supervision.by_masks
        self._without_boxes = index.supervision.annotated - index.supervision.by_boxes

    def __call__(self, row: int) -> Outcome:
        entry, annotations = self.index.read(row)
        outcome = Outcome()
        with ErrorsAt(self.index.where(row)):
            image = find_image(entry, self.files, check=self.config.check_images)
            if isinstance(image, str):
                outcome.counts[image] = 1
                return outcome
            counts: Counter[str] = Counter()
            rng = np.random.default_rng((self.config.seed, row))
            expressions = self._expressions(entry, image, annotations, rng, counts)
            outcome.counts.update(counts)
            if not expressions:
                outcome.counts["image without objects"] = 1
                return outcome
            record = image_record(self.config, self.index, entry, image, expressions)
        outcome.records.append(record)
        return outcome

    def _expressions(
        self,
        entry: dict[str, Any],
        image: ImageFile,
        annotations: list[dict[str, Any]],
        rng: np.random.Generator,
        counts: Counter[str],
    ) -> list[Expression]:
        """The classes of an image in the order of the category list, then absent ones."""
        by_class = self.index.by_class(annotations, counts)
        incomplete = self.classes.incomplete(entry)
        expressions = []
        for category in sorted(by_class, key=self._places.__getitem__):
            if category in incomplete:
                counts["classes not everywhere annotated in the image"] += 1
                continue
            phrase = self.classes.phrase(category, rng)
            if phrase is None:
                counts["classes without a name of their own"] += 1
                continue
            boxes, mask = self._class(by_class[category], image.width, image.height, counts)
            if boxes is None and mask is None:
                counts["classes without a usable annotation"] += 1
                continue
            expressions.append(Expression(phrase, boxes, mask))
        if expressions:
            whole = self.config.masks and self.config.absent_masks
            whole = whole and all(expression.mask is not None for expression in expressions)
            for category in self.classes.absent(entry, set(by_class), self.config.num_absent, rng):
                phrase = self.classes.phrase(category, rng)
                assert phrase is not None
                if category in self._without_boxes:
                    counts["absent classes that the file has no boxes of"] += 1
                    continue
                mask = None
                if whole and category in self._by_masks:
                    mask = empty_mask(image.width, image.height)
                expressions.append(Expression(phrase, (), mask))
        return expressions

    def _class(
        self, annotations: list[dict[str, Any]], width: int, height: int, counts: Counter[str]
    ) -> tuple[tuple[Box, ...] | None, RLE | None]:
        """Every box of a class and the union of its masks.

        One annotation without a mask leaves the class without: an incomplete mask would teach
        that the rest is background. So would one of objects too small for a pixel.
        """
        boxes, inside = class_boxes(annotations, width, height, self.config.max_boxes, counts)
        if not self.config.masks:
            return boxes, None
        masks = [annotation_mask(annotation, width, height, counts) for annotation in inside]
        complete = [mask for mask in masks if mask is not None]
        if not masks or len(complete) < len(masks):
            return boxes, None
        return boxes, merge_rles(complete)


def class_boxes(
    annotations: list[dict[str, Any]],
    width: int,
    height: int,
    max_boxes: int | None,
    counts: Counter[str],
) -> tuple[tuple[Box, ...] | None, list[dict[str, Any]]]:
    """The boxes of a class, and the annotations that have some part inside the image.

    A crowd is no instance: it has no box, but its pixels belong to the class. A class that is
    nothing but crowds has no box supervision.
    """
    boxes: list[Box] = []
    inside = []
    for annotation in annotations:
        box = annotation_box(annotation, width, height)
        if box is None:
            counts["boxes without area"] += 1
            continue
        inside.append(annotation)
        if is_crowd(annotation):
            counts["crowds"] += 1
        else:
            boxes.append(box)
    if max_boxes is not None and len(boxes) > max_boxes:
        counts["boxes beyond max_boxes"] += len(boxes) - max_boxes
        boxes = boxes[:max_boxes]
    return tuple(boxes) or None, inside


def draw_absent(candidates: list[str], num: int, rng: np.random.Generator) -> list[str]:
    """`num` of them, or all if there are fewer, in their order."""
    drawn = rng.choice(len(candidates), min(num, len(candidates)), replace=False)
    return [candidates[place] for place in sorted(drawn.tolist())]


def empty_mask(width: int, height: int) -> RLE:
    """The mask of what is not there."""
    return mask_to_rle(np.zeros((height, width), dtype=np.uint8))


def image_record(
    config: CocoBuildConfig,
    index: CocoIndex,
    entry: dict[str, Any],
    image: ImageFile,
    expressions: list[Expression],
) -> Record:
    """The record of an image of a COCO-format file."""
    return Record(
        id=f"{config.source}-{entry['id']}",
        source=config.source,
        license=index.license(entry, config.license),
        image=image.name,
        width=image.width,
        height=image.height,
        expressions=tuple(expressions),
        meta={"image_id": entry["id"]},
    )


def open_index(config: CocoBuildConfig) -> CocoIndex:
    """The index of the annotations; with `check_images` their images must be there."""
    if config.check_images:
        require_sources(config.images)
    require_file("annotations", config.annotations)
    return CocoIndex(Path(config.annotations))


def build_classes(
    config: CocoBuildConfig, index: CocoIndex, classes: Classes, builder: str
) -> RecordSet:
    """Build the set of `config` from an index and its classes."""
    names = set(type(config).__dataclass_fields__) - set(BuildConfig.__dataclass_fields__)
    settings = source_settings(config, *sorted(names))
    files = image_files(config.images, index, check=config.check_images)
    insist, check = not config.check_boxes, config.check_images
    check_annotations(index, files, check=check, insist=insist)
    merge_same_photos(index, files, check=check)
    maker = CocoMaker(config, index, classes, files)
    counts = dict(index.counts + classes.counts)
    return build_set(config, maker, len(index), builder=builder, settings=settings, counts=counts)


def build_coco(config: CocoBuildConfig) -> RecordSet:
    """Build the set of `config`."""
    index = open_index(config)
    return build_classes(config, index, CocoClasses(index), "coco")
