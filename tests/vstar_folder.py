"""A small benchmark in V*Bench's folder form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

MUG, BOAT, SIGN = [40, 60, 20, 16], [300, 210, 24, 20], [500, 30, 16, 16]  # xywh

ANNOTATIONS: dict[str, dict[str, Any]] = {
    "direct_attributes/a.mug": {  # a stem with a dot
        "target_object": ["mug"], "bbox": [MUG], "question": "What is the color of the mug?",
        "options": ["The mug is red.", "The mug is blue.", "The mug is green."],
    },
    "direct_attributes/b": {
        "target_object": ["boat"], "bbox": [BOAT], "question": "What is the color of the boat?",
        "options": ["The boat is white.", "The boat is black."],
    },
    "relative_position/c": {
        "target_object": ["mug", "boat"], "bbox": [MUG, BOAT],
        "question": "Is the mug on the left or right side of the boat?",
        "options": ["The mug is on the left.", "The mug is on the right."],
        "meta": {"groups": ["home", "away"]},
    },
    "relative_position/d": {
        "target_object": ["sign", "kite"], "bbox": [SIGN, None],
        "question": "Is the sign above or below the kite?",
        "options": ["There is no kite.", "The sign is above the kite."],
        "meta": {"groups": ["home", "absent"]},
    },
}  # fmt: skip


def write_bench(folder: Path, *, images: bool = True) -> Path:
    """Write the four questions; with 640 x 480 pictures unless `images` is off."""
    for name, annotation in ANNOTATIONS.items():
        path = folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(annotation), encoding="utf-8")
        if images:
            Image.new("RGB", (640, 480), (90, 120, 60)).save(folder / f"{name}.jpg")
    return folder
