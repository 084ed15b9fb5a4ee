"""Small files in the form of LLaVA-Instruct."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from record_sets import draw_image

NAME = "000000033471.jpg"
TALK = ["<image>\nWhat color is the bus?", "White and red.", "Is it moving?", "Yes."]


def talk(*values: str, first: str = "human") -> list[dict[str, str]]:
    speakers = ["human", "gpt"] if first == "human" else ["gpt", "human"]
    return [{"from": speakers[i % 2], "value": value} for i, value in enumerate(values)]


def entry(*values: str, image: Any = NAME, **more: Any) -> dict[str, Any]:
    """`image=...` leaves the key out."""
    whole = {"id": "000000033471", "image": image, "conversations": talk(*(values or TALK))} | more
    return {key: value for key, value in whole.items() if value is not ...}


def write_llava(path: Path, entries: list[dict[str, Any]], *photos: str) -> Path:
    """The file and its photos, by default the one of `entry`, in `photos` beside it."""
    for name in photos or (NAME,):
        draw_image(path.parent / "photos" / name)
    path.write_text(json.dumps(entries))
    return path
