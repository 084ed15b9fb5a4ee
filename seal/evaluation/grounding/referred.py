"""Referring expressions with what they mean: records built here, or rows of the hub's data sets.

The hub's (lmms-lab/RefCOCO, RefCOCOplus, RefCOCOg) have a row for each object: `question_id`,
`image`, `answer`, the list of expressions that mean it, `bbox` [x, y, width, height]. Their
`segmentation` is one flat list in which objects of several polygons cannot be told from others, and
is not read: rows give boxes, records boxes and masks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from seal.data.masks import RLE, rle_area
from seal.data.record_set import RecordSet
from seal.data.record_set_writer import SET_FILE
from seal.evaluation.benchmark_images import BenchmarkImages, BytesImages, FolderImages
from seal.evaluation.sources.hub import PREFIX, HubSource, read_hub
from seal.evaluation.sources.pictures import picture_bytes
from seal.evaluation.sources.read import read_rows
from seal.evaluation.sources.rows import Rows
from seal.evaluation.tasks.entries import Entry
from seal.geometry import Box

# `file_name` ends with the number of the object: COCO_train2014_PHOTO_OBJECT.jpg.
_PHOTO = re.compile(r"(COCO_[a-z0-9]+_\d{12})_\d+\.jpg")
NOTHING = "expressions without a box and a mask"


@dataclass(frozen=True, slots=True)
class Referred:
    """An expression, and the object or objects of an image that it means."""

    id: str
    source: str  # the data set
    image: str  # its name among the images
    size: tuple[int, int] | None  # width and height that boxes and mask are of; None: not said
    text: str
    boxes: tuple[Box, ...]  # image pixels; (): not annotated
    mask: RLE | None = None  # of the image's size

    def to_dict(self) -> dict[str, Any]:
        """What a prediction line holds."""
        return {
            "id": self.id,
            "source": self.source,
            "image": self.image,
            "size": None if self.size is None else list(self.size),
            "text": self.text,
            "boxes": [[box.x0, box.y0, box.x1, box.y1] for box in self.boxes],
            "mask": self.mask,
        }


@dataclass(frozen=True, slots=True)
class GroundingSet:
    """Expressions in a fixed order, and their images."""

    items: list[Referred]
    images: BenchmarkImages
    left_out: Counter[str]  # why -> how many expressions that mean nothing that can be checked


def open_grounding(
    benchmark: str, images: str | None = None, limit: int | None = None
) -> GroundingSet:
    """`hub:ID[@REVISION][:CONFIG[:SPLIT]]`, a record set's folder, or a copy of the hub's files.

    images: where a record set's images lie, if not where it says. limit: images; None: all.

    Raises:
        ValueError: none of these, or an entry that is not as it should be.
    """
    if benchmark.startswith(PREFIX):
        return read_referred_rows(read_hub(HubSource.parse(benchmark)), limit)
    path = Path(benchmark)
    if (path / SET_FILE).is_file():
        return read_referred_records(RecordSet.open(path, images), limit)
    if not path.exists():
        raise ValueError(
            f"{path} is not there: give a folder built by data_builders/refcoco, hub:ID, or a copy "
            "of its parquet files"
        )
    return read_referred_rows(read_rows(path), limit)


def read_referred_records(records: RecordSet, limit: int | None = None) -> GroundingSet:
    """Every expression that has a box or a mask; several expressions of one image in a row."""
    items: list[Referred] = []
    left_out: Counter[str] = Counter()
    for number, record in enumerate(records):
        if limit is not None and number >= limit:
            break
        if record.image is None:
            continue  # text: there is no expression
        for place, expression in enumerate(record.expressions):
            mask = expression.mask
            if mask is not None and not rle_area(mask):
                mask = None
            if not expression.boxes and mask is None:
                left_out[NOTHING] += 1
                continue
            items.append(
                Referred(
                    f"{record.id}/{place}",
                    record.source,
                    record.image,
                    (record.width, record.height),
                    expression.text,
                    expression.boxes or (),
                    mask,
                )
            )
    found = GroundingSet(items, FolderImages(records.image_root), left_out)
    return _checked(found, str(records.folder))


def read_referred_rows(rows: Rows, limit: int | None = None) -> GroundingSet:
    """An item for each expression of each row."""
    rows.need("question_id", "image", "answer", "bbox")
    items: list[Referred] = []
    pictures: dict[str, Callable[[], bytes]] = {}
    names: dict[str, str] = {}  # file -> the picture that stands for it: many rows are of one
    ids: set[str] = set()
    for index in range(len(rows)):
        row, where = rows[index], rows.where(index)
        entry = Entry(
            where, {"question_id": str(row["question_id"]), "answer": _list(row["answer"])}
        )
        name = entry.text("question_id")
        if name in ids:
            raise entry.wrong("question_id", name, "an id that no other row has")
        ids.add(name)
        said = entry.texts("answer")
        if not said:
            raise entry.wrong("answer", said, "a list of expressions")
        box = Box.from_xywh(*entry.box_numbers("bbox", _list(row["bbox"])))
        file = row["file_name"] if "file_name" in rows.columns else None
        photo = _PHOTO.fullmatch(file) if isinstance(file, str) else None
        image = names.setdefault(name if photo is None else photo[1], name)
        if len(names) > (limit or len(rows)):
            break
        pictures.setdefault(image, partial(_picture, rows, index))
        for place, text in enumerate(said):
            items.append(Referred(f"{name}/{place}", rows.name, image, None, text, (box,)))
    return _checked(GroundingSet(items, BytesImages(rows.name, pictures), Counter()), rows.name)


def _picture(rows: Rows, index: int) -> bytes:
    return picture_bytes(rows[index]["image"], rows.where(index))


def _list(value: Any) -> Any:
    """A column of lists gives arrays, or lists already."""
    return value.tolist() if hasattr(value, "tolist") else value


def _checked(found: GroundingSet, name: str) -> GroundingSet:
    if not found.items:
        raise ValueError(f"{name} has no expression with a box or a mask")
    lost = [item for item in found.items if not found.images.has(item.image)]
    if lost:
        raise ValueError(
            f"{name}: {len(lost)} of {len(found.items)} expressions have no image, for example "
            f"{lost[0].image}; images= says where they lie"
        )
    return found
