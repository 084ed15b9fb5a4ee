"""One COCO image for builders that write questions about it: its facts, and what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seal.building.coco import CocoIndex
from seal.building.fields import box_numbers, id_text, image_size, text
from seal.building.photos import photo_problem


@dataclass(frozen=True, slots=True)
class CocoImage:
    """An image entry, checked."""

    id: Any
    file_name: str
    width: int  # pixels
    height: int
    license: str
    sides: dict[str, tuple[float, ...]]  # category id -> longer side of each box, pixels; a crowd's
    # too: it is no instance, but what it covers is there. Categories without annotation are absent.


def read_coco_image(index: CocoIndex, row: int, default_license: str) -> CocoImage:
    """The image of a row.

    Raises:
        ValueError: its entry, or one of its annotations, is broken; names the file and byte.
    """
    entry, annotations = index.read(row)
    where = index.where(row)
    sides: dict[str, list[float]] = {}
    try:
        for annotation in annotations:
            _, _, width, height = box_numbers(annotation["bbox"])
            sides.setdefault(id_text(annotation["category_id"]), []).append(max(width, height))
        size = image_size(entry)
        return CocoImage(
            id=entry["id"],
            file_name=text(entry["file_name"], "file_name"),
            width=size[0],
            height=size[1],
            license=index.license(entry, default_license),
            sides={category: tuple(values) for category, values in sides.items()},
        )
    except KeyError as error:
        raise ValueError(f"{where}: no key {error}") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from error


def image_fault(image: CocoImage, folder: Path) -> str | None:
    """Why the image file cannot be used; None: it can."""
    return photo_problem(folder, image.file_name, image.width, image.height)


def source_index(annotations: str, images: str) -> CocoIndex:
    """The index of a COCO instances file whose images are in a folder that exists."""
    if not Path(images).is_dir():
        raise ValueError(f"images={images} is not a folder")
    path = Path(annotations)
    if not path.is_file():
        raise ValueError(f"annotations={path} is not a file")
    return CocoIndex(path)
