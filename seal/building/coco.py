"""COCO-format detection annotations to search-model records: every class an expression."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seal.building.json_stream import read_element, stream_arrays
from seal.building.writer import CORRUPT, BuildConfig, Outcome, build_set
from seal.data.masks import RLE, mask_to_rle, merge_rles, segmentation_to_rle
from seal.data.records import Expression, Record, RecordSet
from seal.geometry import Box
from seal.images import open_image


@dataclass(kw_only=True, slots=True)
class CocoBuildConfig(BuildConfig):
    """`annotations` is a COCO instances file, or anything in its form."""

    source: str = "coco"  # goes into ids and records
    license: str = "unknown"  # of images that name none
    num_absent: int = 3  # classes asked for that are not in the image
    max_boxes: int = 100  # of one class in one image; the rest is left out and counted
    masks: bool = True  # False: boxes alone
    absent_masks: bool = True  # an absent class has an empty mask; False: no mask supervision

    def __post_init__(self) -> None:
        # Not super(): a dataclass with slots is a new class, which its bare form does not know.
        BuildConfig.__post_init__(self)
        if self.num_absent < 0 or self.max_boxes < 1:
            raise ValueError(
                f"num_absent={self.num_absent} must be >= 0, max_boxes={self.max_boxes} >= 1"
            )


class CocoIndex:
    """Where every image and annotation stands in the file; nothing of them is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.categories: dict[str, str] = {}  # id as text -> name, lower case
        self.licenses: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        image_spans, spans = array("q"), array("q")  # byte offsets, start and end by turns
        numbers: dict[str, int] = {}  # image id as text -> a number, in order of first mention
        listed, owners = array("q"), array("q")  # the number of each image, of each annotation's
        arrays = set()
        for element in stream_arrays(path):
            arrays.add(element.key)
            entry = element.value
            try:
                if element.key == "images":
                    listed.append(numbers.setdefault(str(entry["id"]), len(numbers)))
                    image_spans.extend((element.start, element.end))
                elif element.key == "annotations":
                    owners.append(numbers.setdefault(str(entry["image_id"]), len(numbers)))
                    spans.extend((element.start, element.end))
                elif element.key == "categories":
                    self.categories[str(entry["id"])] = entry["name"].lower()
                elif element.key == "licenses":
                    self.licenses[str(entry["id"])] = entry["name"]
            except KeyError as error:
                raise ValueError(
                    f"{path}: byte {element.start}: an entry of {element.key} has no key {error}"
                ) from error
            except (TypeError, AttributeError) as error:
                raise ValueError(
                    f"{path}: byte {element.start}: a broken entry of {element.key}: {error}"
                ) from error
        if missing := {"images", "annotations", "categories"} - arrays:
            raise ValueError(f"{path} has no {', '.join(sorted(missing))}: not COCO annotations")
        self.names = _alternatives(self.categories)
        self.image_spans = np.array(image_spans, dtype=np.int64).reshape(-1, 2)
        row_of = np.full(len(numbers), -1, dtype=np.int64)
        row_of[listed] = np.arange(len(listed))
        if (row_of >= 0).sum() != len(listed):
            twice = Counter(listed).most_common(1)[0][0]
            raise ValueError(f"{path}: image id {list(numbers)[twice]} occurs twice")
        owner = row_of[owners]
        self.counts["annotations of unlisted images"] = int((owner < 0).sum())
        self._spans = np.array(spans, dtype=np.int64).reshape(-1, 2)
        self._order = np.argsort(owner, kind="stable")
        self._starts = np.searchsorted(owner[self._order], np.arange(len(listed) + 1))

    def __len__(self) -> int:
        return len(self.image_spans)

    def read(self, row: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """An image entry and its annotations, in file order."""
        with self.path.open("rb") as file:
            image = read_element(file, *self.image_spans[row].tolist())
            own = self._order[self._starts[row] : self._starts[row + 1]]
            return image, [read_element(file, *self._spans[i].tolist()) for i in own]


class CocoMaker:
    """Makes the record of one image."""

    def __init__(self, config: CocoBuildConfig, index: CocoIndex) -> None:
        self.config = config
        self.index = index

    def __call__(self, row: int) -> Outcome:
        entry, annotations = self.index.read(row)
        outcome = Outcome()
        try:
            width, height = int(entry["width"]), int(entry["height"])
            path = Path(self.config.images) / entry["file_name"]
            if reason := self._unusable(path, width, height):
                outcome.counts[reason] = 1
                return outcome
            counts: Counter[str] = Counter()
            rng = np.random.default_rng((self.config.seed, row))
            expressions = self._expressions(annotations, width, height, rng, counts)
            outcome.counts.update(counts)
            if not expressions:
                outcome.counts["image without objects"] = 1
                return outcome
            license = self.index.licenses.get(str(entry.get("license")), self.config.license)
            record = Record(
                id=f"{self.config.source}-{entry['id']}",
                source=self.config.source,
                license=license,
                image=entry["file_name"],
                width=width,
                height=height,
                expressions=tuple(expressions),
                meta={"image_id": entry["id"]},
            )
        except KeyError as error:
            raise ValueError(f"{self._where(row)}: no key {error}") from error
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self._where(row)}: {error}") from error
        outcome.records.append(record)
        return outcome

    def _where(self, row: int) -> str:
        return f"{self.index.path}: image at byte {self.index.image_spans[row][0]}"

    def _unusable(self, path: Path, width: int, height: int) -> str | None:
        """Why the image cannot be used."""
        if not path.is_file():
            return "image file missing"
        try:
            size = open_image(path).size
        except ValueError:
            return CORRUPT
        return None if size == (width, height) else "image size differs from its annotation"

    def _expressions(
        self,
        annotations: list[dict[str, Any]],
        width: int,
        height: int,
        rng: np.random.Generator,
        counts: Counter[str],
    ) -> list[Expression]:
        """The classes of an image in the order of the category list, then absent ones."""
        by_class: dict[str, list[dict[str, Any]]] = {}
        for annotation in annotations:
            category = str(annotation["category_id"])
            if category not in self.index.categories:
                counts["annotations of unknown categories"] += 1
                continue
            by_class.setdefault(category, []).append(annotation)
        expressions = []
        for category in self.index.categories:
            if category not in by_class:
                continue
            boxes, mask = self._class(by_class[category], width, height, counts)
            if boxes is None and mask is None:
                counts["classes without a usable annotation"] += 1
                continue
            expressions.append(Expression(self._name(category, rng), boxes, mask))
        if expressions:
            expressions += self._absent(set(by_class), width, height, rng)
        return expressions

    def _class(
        self, annotations: list[dict[str, Any]], width: int, height: int, counts: Counter[str]
    ) -> tuple[tuple[Box, ...] | None, RLE | None]:
        """Every box of a class and the union of its masks.

        A crowd is no instance: it has no box, but its pixels belong to the class. A class that is
        nothing but crowds has no box supervision. One annotation without a mask leaves the class
        without: an incomplete mask would teach that the rest is background.
        """
        boxes: list[Box] = []
        masks: list[RLE | None] = []
        for annotation in annotations:
            crowd = bool(annotation.get("iscrowd", 0))
            box = _clipped(annotation["bbox"], width, height)
            if box is None:
                counts["boxes without area"] += 1
                continue
            masks.append(_mask(annotation.get("segmentation"), width, height, counts))
            if crowd:
                counts["crowds"] += 1
            else:
                boxes.append(box)
        if len(boxes) > self.config.max_boxes:
            counts["boxes beyond max_boxes"] += len(boxes) - self.config.max_boxes
            boxes = boxes[: self.config.max_boxes]
        complete = [mask for mask in masks if mask is not None]
        whole = self.config.masks and masks and len(complete) == len(masks)
        return tuple(boxes) or None, merge_rles(complete) if whole else None

    def _absent(
        self, present: set[str], width: int, height: int, rng: np.random.Generator
    ) -> list[Expression]:
        absent = [category for category in self.index.categories if category not in present]
        drawn = rng.choice(len(absent), min(self.config.num_absent, len(absent)), replace=False)
        mask = None
        if self.config.masks and self.config.absent_masks:
            mask = mask_to_rle(np.zeros((height, width), dtype=np.uint8))
        return [Expression(self._name(absent[i], rng), (), mask) for i in sorted(drawn)]

    def _name(self, category: str, rng: np.random.Generator) -> str:
        names = self.index.names[category]
        return names[int(rng.integers(len(names)))] if len(names) > 1 else names[0]


def build_coco(config: CocoBuildConfig) -> RecordSet:
    """Build the set of `config`."""
    if not Path(config.images).is_dir():
        raise ValueError(f"images={config.images} is not a folder")
    path = Path(config.annotations)
    if not path.is_file():
        raise ValueError(f"annotations={path} is not a file")
    index = CocoIndex(path)
    settings = {
        "annotations": path.name,
        "bytes": path.stat().st_size,
        **{
            name: getattr(config, name)
            for name in (
                "limit",
                "source",
                "license",
                "num_absent",
                "max_boxes",
                "masks",
                "absent_masks",
            )
        },
    }
    return build_set(
        config,
        CocoMaker(config, index),
        len(index),
        builder="coco",
        settings=settings,
        counts=dict(index.counts),
    )


def _alternatives(categories: dict[str, str]) -> dict[str, list[str]]:
    """The names a class may be asked by: the alternatives of `a/b` that no other class shares."""
    parts = {
        category: list(dict.fromkeys(part.strip() for part in name.split("/") if part.strip()))
        for category, name in categories.items()
    }
    uses = Counter(part for names in parts.values() for part in names)
    alternatives = {c: [name for name in names if uses[name] == 1] for c, names in parts.items()}
    if ambiguous := sorted(categories[c] for c, names in alternatives.items() if not names):
        raise ValueError(f"classes without a name of their own: {ambiguous}")
    return alternatives


def _mask(segmentation: object, width: int, height: int, counts: Counter[str]) -> RLE | None:
    if not segmentation:
        return None
    try:
        return segmentation_to_rle(segmentation, height, width)
    except ValueError:
        counts["broken segmentations"] += 1
        return None


def _clipped(xywh: list[float], width: int, height: int) -> Box | None:
    """The box inside the image, or None when nothing of it is left."""
    x, y, w, h = xywh
    x0, y0 = min(max(x, 0), width), min(max(y, 0), height)
    x1, y1 = min(max(x + w, 0), width), min(max(y + h, 0), height)
    return Box(x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None
