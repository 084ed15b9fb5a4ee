"""A small source in COCO's form, with every irregularity that real ones have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from record_sets import HEIGHT, WIDTH, draw_image

CATEGORIES = ["Person", "Cup", "dog", "kite", "Wine Glass"]
SQUARE = [[10, 5, 20, 5, 20, 15, 10, 15]]
# Columns first: a block of 30 pixels in the first column, then zeros.
CROWD = {"size": [HEIGHT, WIDTH], "counts": [0, 30, HEIGHT * WIDTH - 30]}


def annotation(image: Any, category: Any, bbox: list[float], **more: Any) -> dict[str, Any]:
    entry = {"image_id": image, "category_id": category, "bbox": bbox, "iscrowd": 0}
    return entry | {"segmentation": rectangle(bbox) if len(bbox) == 4 else SQUARE} | more


def rectangle(bbox: list[float]) -> list[list[float]]:
    """The polygon of a box."""
    x, y, w, h = bbox
    return [[x, y, x + w, y, x + w, y + h, x, y + h]]


def write_coco(folder: Path, annotations: list[dict[str, Any]], num_images: int = 3) -> Path:
    """`folder/coco.json` and the images beside it, ids 0, 1, ...; image 0 names its license."""
    images = [
        {"id": i, "file_name": f"sub/{i}.png", "width": WIDTH, "height": HEIGHT}
        for i in range(num_images)
    ]
    for image in images:
        draw_image(folder / str(image["file_name"]))
    images[0]["license"] = 4
    document = {
        "info": {"year": 2017},
        "licenses": [{"id": 4, "name": "CC BY"}],
        "annotations": annotations,  # before the images, as some files have it
        "images": images,
        "categories": [{"id": i + 1, "name": name} for i, name in enumerate(CATEGORIES)],
    }
    path = folder / "coco.json"
    path.write_text(json.dumps(document))
    return path


def edit_coco(path: Path, key: str, index: int, **values: Any) -> None:
    """Change fields of one entry; `...` removes a field."""
    document = json.loads(path.read_text())
    entry = document[key][index]
    entry.update(values)
    document[key][index] = {k: v for k, v in entry.items() if v is not ...}
    path.write_text(json.dumps(document, default=repr))
