from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from coco_files import annotation, edit_coco, write_coco
from record_sets import draw_image

from seal.building.coco.objects365 import Objects365BuildConfig, build_objects365
from seal.data.record_set import RecordSet

BOX = [10, 5, 10, 10]


def write_objects365(folder: Path, num_images: int = 6) -> Path:
    """The list and no image yet: `images/v1/patch0/objects365_v1_0.jpg`."""
    boxes = [annotation(i, 1 + i % 2, BOX) for i in range(num_images)]
    for box in boxes:
        del box["segmentation"]
    path = write_coco(folder, boxes, num_images)
    for i in range(num_images):
        edit_coco(path, "images", i, file_name=listed(i))
    edit_coco(path, "categories", 1, name="Cup/Mug")
    return path


def listed(image: int) -> str:
    return f"images/v1/patch{image % 2}/objects365_v1_{image}.jpg"


def build(path: Path, **settings: Any) -> RecordSet:
    values = {"annotations": str(path), "images": str(path.parent / "train")}
    values["out"] = str(path.parent / "out")
    return build_objects365(Objects365BuildConfig(**(values | {"max_dropped": 1.0} | settings)))


@pytest.mark.parametrize("dropped", [0, 1, 2, 3])
def test_every_customary_layout_is_found(tmp_path: Path, dropped: int) -> None:
    path = write_objects365(tmp_path)
    names = ["/".join(listed(i).split("/")[dropped:]) for i in range(6)]
    for name in names[:5]:
        draw_image(tmp_path / "train" / name)
    records = build(path)
    assert [record.image for record in records] == names[:5]
    assert records.description["counts"]["image file missing"] == 1


def test_boxes_alone_by_one_of_the_names(tmp_path: Path) -> None:
    path = write_objects365(tmp_path, 12)
    for i in range(12):
        draw_image(tmp_path / "train" / listed(i))
    records = build(path, num_absent=1)
    expressions = [e for record in records for e in record.expressions]
    assert all(e.mask is None for e in expressions)
    assert {e.text for e in expressions if e.boxes} == {"person", "cup", "mug"}
    assert sum(e.boxes == () for e in expressions) == 12
    assert records[0].id == "objects365-0"


def test_masks_cannot_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="masks=true: Objects365 has boxes alone"):
        build(tmp_path / "a", masks=True)


def test_an_alternative_that_another_class_shares_is_not_drawn(tmp_path: Path) -> None:
    path = write_objects365(tmp_path, 12)
    edit_coco(path, "categories", 2, name="Mug")
    with pytest.raises(ValueError, match=r"without a name of their own: \['mug'\]"):
        build(path, check_images=False)
    edit_coco(path, "categories", 2, name="mug/beaker")
    records = build(path, num_absent=0, check_images=False)
    assert {e.text for record in records for e in record.expressions} == {"person", "cup"}
