"""The images of a COCO-format file: where each lies, and what the annotations say it shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from seal.building.coco.index import CocoIndex
from seal.building.formats.entry_errors import ErrorsAt
from seal.building.formats.fields import box_numbers, given, image_size, text
from seal.building.formats.image_lookup import ImageFile, ImageFiles, plain_name

_SAMPLE = 256  # images that say where a folder has them


def image_files(root: str, index: CocoIndex, *, check: bool = True) -> ImageFiles:
    """The images below `root`, by the layout that a sample of the list has.

    Without `check` nobody looks for them.
    """
    if not check:
        return ImageFiles(root, drop_folders=False)
    step = max(1, len(index) // _SAMPLE)
    entries = (index.entry(row) for row in range(0, len(index), step))
    # Without their folders two images of one name would be one.
    sample = [
        name
        for entry in entries
        if isinstance(name := entry.get("file_name") or entry.get("coco_url"), str) and name.strip()
    ]
    return ImageFiles(root, drop_folders=index.unique_names, sample=sample)


def image_names(entry: dict[str, Any]) -> list[str]:
    """What an image entry calls its file; LVIS 1.0 has the address alone."""
    keys = [key for key in ("file_name", "coco_url") if given(entry.get(key))]
    names = [text(entry[key], key) for key in keys]
    if not names:
        raise KeyError("file_name")
    return names


def find_image(entry: dict[str, Any], files: ImageFiles, *, check: bool = True) -> ImageFile | str:
    """The image of an entry, or why it cannot be used.

    An entry without `width` and `height` takes the size of the file. Without `check` the entry is
    believed.
    """
    names = image_names(entry)
    sized = None not in (given(entry.get("width")), given(entry.get("height")))
    size = image_size(entry) if sized or not check else None
    if check:
        return files.look(names, size)
    assert size is not None
    return ImageFile(plain_name(names[0]), *size)


@dataclass(frozen=True, slots=True)
class CocoImage:
    """What builders of questions about absent objects know of an image."""

    entry: dict[str, Any]
    license: str
    sides: dict[str, tuple[float, ...]]  # category id -> longer side of each box, pixels; a crowd's
    # too: it is no instance, but what it covers is there. Categories without annotation are absent.

    further_ids: tuple[Any, ...] = ()  # under which the file lists it as well

    @property
    def id(self) -> Any:
        return self.entry["id"]

    @property
    def ids(self) -> tuple[Any, ...]:
        return (self.id, *self.further_ids)


def draft_fields(
    source: str, image: CocoImage, file: ImageFile, suffix: str, meta: dict[str, Any]
) -> dict[str, Any]:
    """What a record about an image has besides its conversation."""
    return {
        "id": f"{source}-{image.id}{suffix}",
        "source": source,
        "license": image.license,
        "image": file.name,
        "width": file.width,
        "height": file.height,
        "meta": meta,
    }


def read_coco_image(
    index: CocoIndex, row: int, default_license: str, counts: Counter[str]
) -> CocoImage:
    """The image of a row; what is of no listed class is counted.

    Raises:
        ValueError: its entry, or one of its annotations, is broken; names the file and byte.
    """
    entry, annotations = index.read(row)
    with ErrorsAt(index.where(row)):
        sides = {
            category: tuple(max(box_numbers(a["bbox"])[2:]) for a in own)
            for category, own in index.by_class(annotations, counts).items()
        }
        further = tuple(index.other_ids.get(row, ()))
        return CocoImage(entry, index.license(entry, default_license), sides, further)


def look_up(index: CocoIndex, row: int, files: ImageFiles) -> ImageFile | str:
    """`find_image` of a row.

    Raises:
        ValueError: its entry is broken; names the file and byte.
    """
    with ErrorsAt(index.where(row)):
        return find_image(index.entry(row), files)
