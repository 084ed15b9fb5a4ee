"""Small files in the form of MDETR's GoldG annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from record_sets import HEIGHT, WIDTH, draw_image

CAPTION = "a man in a red hat. two dogs on the grass."


def entry(number: Any, file_name: str, kind: str = "vg", **more: Any) -> dict[str, Any]:
    """An image entry of the mixed file (`kind` coco or vg) or of the Flickr file."""
    values: dict[str, Any] = {
        "file_name": file_name,
        "height": HEIGHT,
        "width": WIDTH,
        "id": number,
        "caption": CAPTION,
        "tokens_negative": [[0, 1]],
    }
    if kind == "flickr":
        values |= {"height": str(HEIGHT), "width": str(WIDTH), "dataset_name": "flickr"}
        values |= {"sentence_id": 2, "original_img_id": 4886839805, "tokens_positive_eval": []}
    else:
        values |= {"original_id": "2334951", "data_source": kind, "dataset_name": "mixed"}
    return values | more


def spans(*words: str, caption: str = CAPTION) -> list[list[int]]:
    places = [caption.index(word) for word in words]
    return [[start, start + len(word)] for start, word in zip(places, words, strict=True)]


def annotation(number: int, image: Any, positive: Any, bbox: Any = None) -> dict[str, Any]:
    return {
        "area": 100.0,
        "iscrowd": 0,
        "image_id": image,
        "category_id": 1,
        "id": number,
        "bbox": bbox or [10, 5, 10, 10],
        "tokens_positive": positive,
    }


def write_goldg(
    path: Path, images: list[dict[str, Any]], annotations: list[dict[str, Any]], **more: Any
) -> Path:
    """The file, and the photos of `images` in `photos` beside it."""
    for image in images:
        draw_image(path.parent / "photos" / str(image["file_name"]))
    document = {"info": {}, "licenses": {}, "images": images, "annotations": annotations}
    path.write_text(json.dumps(document | {"categories": []} | more, ensure_ascii=False), "utf-8")
    return path
