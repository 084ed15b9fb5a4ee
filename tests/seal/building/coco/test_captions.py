from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seal.building.coco.captions import CaptionIndex


def write(path: Path, *entries: Any, key: str = "annotations") -> Path:
    path.write_text(json.dumps({"info": {}, key: entries}))
    return path


def caption(image: Any, text: Any) -> dict[str, Any]:
    return {"image_id": image, "id": 1, "caption": text}


def test_captions_of_an_image_come_in_file_order_on_one_line_each(tmp_path: Path) -> None:
    entries = [caption(7, "b\n "), caption(3, "x"), caption(7, "a  c"), caption(7, "  ")]
    captions = CaptionIndex(write(tmp_path / "c.json", *entries))
    assert len(captions) == 4
    assert captions.read(7) == ["b", "a c"] and captions.read("3") == ["x"]
    assert captions.read(4) == []


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"image_id": 1}, "'caption'"),
        ({"caption": "x"}, "'image_id'"),
        (caption(1, 5), "must be text"),
    ],
)
def test_a_broken_entry_is_named_by_file_and_byte(
    tmp_path: Path, entry: dict[str, Any], problem: str
) -> None:
    path = write(tmp_path / "c.json", caption(1, "x"), entry)
    with pytest.raises(ValueError, match=rf"c\.json: byte \d+: .*{problem}"):
        CaptionIndex(path)


def test_a_file_without_captions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not COCO captions"):
        CaptionIndex(write(tmp_path / "c.json", {"id": 1}, key="images"))
