"""A dataset folder as the `refer` project hands it out: a pickle of refs and instances.json."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

from coco_files import SQUARE
from record_sets import HEIGHT, WIDTH, draw_image

BOX = [10, 5, 10, 10]  # of SQUARE


def coco_name(image: int) -> str:
    return f"COCO_train2014_{image:012d}.jpg"


def ref(image: int, ann: Any, *sentences: str, split: str = "train", **more: Any) -> dict[str, Any]:
    """A ref with ids that follow from its annotation's."""
    number = int(str(ann).rpartition("_")[2])
    said = [
        {"tokens": s.split(), "raw": s.upper(), "sent_id": 10 * number + i, "sent": s}
        for i, s in enumerate(sentences)
    ]
    entry = {
        "sent_ids": [s["sent_id"] for s in said],
        "file_name": f"COCO_train2014_{image:012d}_{number}.jpg",
        "ann_id": ann,
        "ref_id": 100 + number,
        "image_id": image,
        "split": split,
        "sentences": said,
        "category_id": 1,
    }
    return entry | more


def instance(image: int, ann: Any, bbox: Any = BOX, **more: Any) -> dict[str, Any]:
    entry = {"id": ann, "image_id": image, "bbox": bbox, "iscrowd": 0, "category_id": 1}
    return entry | {"area": 100, "segmentation": SQUARE} | more


def write_refer(
    folder: Path,
    refs: Any,
    instances: list[dict[str, Any]],
    split_by: str = "unc",
    images: dict[int, str] | None = None,
    protocol: int = 0,
) -> Path:
    """`folder` with both files; the photos, by default those of `instances`, in `folder/../photos`.

    images: id -> the name in instances.json; by default COCO's of 2014.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if images is None:
        images = {i: coco_name(i) for i in dict.fromkeys(a["image_id"] for a in instances)}
    for name in images.values():
        draw_image(folder.parent / "photos" / name)
    document = {
        "info": {"description": "test"},
        "images": [
            {"id": i, "file_name": name, "width": WIDTH, "height": HEIGHT, "license": 1 + i % 2}
            for i, name in images.items()
        ],
        "licenses": [{"id": 1, "name": "CC BY"}],
        "type": "instances",
        "annotations": instances,
        "categories": [{"id": 1, "name": "person"}],
    }
    (folder / "instances.json").write_text(json.dumps(document))
    (folder / f"refs({split_by}).p").write_bytes(pickle.dumps(refs, protocol))
    return folder
