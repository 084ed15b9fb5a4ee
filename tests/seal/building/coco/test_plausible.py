from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from coco_files import annotation, edit_coco, write_coco
from golden_files import SAMPLES, needs_samples
from record_sets import HEIGHT, WIDTH

from seal.building.coco.detection import CocoBuildConfig, build_coco
from seal.building.coco.paco_lvis import PacoLvisBuildConfig, build_paco_lvis
from seal.building.vqa_mixture.spatial import SpatialBuildConfig, build_spatial
from seal.data.record_set import RecordSet

TRUE = [[4 + 4 * i, 20 - 2 * i, 8 + i % 3, 6 + i % 4] for i in range(10)]


def settings(path: Path) -> dict[str, Any]:
    return {"annotations": str(path), "images": str(path.parent), "out": str(path.parent / "out")}


def build(path: Path, **more: Any) -> RecordSet:
    return build_coco(CocoBuildConfig(**(settings(path) | more)))


def source(folder: Path, boxes: list[list[float]], **more: Any) -> Path:
    return write_coco(
        folder, [annotation(i, 1 + i % 4, box, **more) for i, box in enumerate(boxes)], len(boxes)
    )


def fractions() -> list[list[float]]:
    return [[x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT] for x, y, w, h in TRUE]


def corners() -> list[list[float]]:
    return [[x, y, x + w, y + h] for x, y, w, h in TRUE]


def test_ten_true_boxes_pass_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(build(source(tmp_path, TRUE))) == 10
    assert "WARNING" not in capsys.readouterr().err


@pytest.mark.parametrize("check_images", [True, False])
@pytest.mark.parametrize("sized", [True, False])
def test_fractions_are_refused_by_name(tmp_path: Path, sized: bool, check_images: bool) -> None:
    path = source(tmp_path, fractions(), segmentation=[])
    for i in range(0 if sized or not check_images else 10):
        edit_coco(path, "images", i, width=..., height=...)
    message = r"coco.json: all 10 boxes have no number above 1.5: .* fractions of the image"
    with pytest.raises(ValueError, match=message):
        build(path, check_images=check_images)
    assert not (tmp_path / "out").exists()
    records = build(path, check_images=check_images, check_boxes=False)
    assert records.description["counts"]["WARNING: boxes like fractions, of 10 looked at"] == 10


def test_corners_beside_true_masks_contradict_the_file(tmp_path: Path) -> None:
    path = source(tmp_path, corners())
    for i, (x, y, w, h) in enumerate(TRUE):
        polygon = [x, y, x + w, y, x + w, y + h, x, y + h]
        edit_coco(path, "annotations", i, segmentation=[polygon])
    with pytest.raises(ValueError, match=r"than their own masks: they look like \[x0, y0, x1, y1"):
        build(path)


def test_builders_of_questions_refuse_them_too(tmp_path: Path) -> None:
    path = source(tmp_path, corners(), segmentation=[])
    with pytest.raises(ValueError, match=r"run past the border .* like \[x0, y0, x1, y1\]"):
        build_spatial(SpatialBuildConfig(**settings(path)))


def test_all_annotations_of_one_image_are_refused(tmp_path: Path) -> None:
    path = source(tmp_path, TRUE)
    for i in range(10):
        edit_coco(path, "annotations", i, image_id=3)
    with pytest.raises(ValueError, match="all 10 annotations are of image id 3, one of 10"):
        build(path)
    assert len(build(path, check_boxes=False)) == 1


def test_annotations_of_other_images_and_categories_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = source(tmp_path, TRUE)
    for i in range(3):
        edit_coco(path, "annotations", i, image_id=100 + i)
    for i in range(3, 7):
        edit_coco(path, "annotations", i, category_id=77)
    counts = build(path).description["counts"]
    said = capsys.readouterr().err
    assert "3 of 10 annotations are of no listed image" in said
    assert "4 of 10 annotations are of no listed category" in said
    assert counts["WARNING: annotations of no listed category"] == 4
    for i in range(10):
        edit_coco(path, "annotations", i, image_id=100 + i)
    with pytest.raises(ValueError, match="none of 10 annotations is of a listed image"):
        build(path, out=str(tmp_path / "b"))


def test_annotations_that_repeat_others_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = [annotation(i % 10, 1, TRUE[i % 10]) for i in range(20)]
    records = build(write_coco(tmp_path, twice, 10))
    assert "10 annotations repeat image, class and box of another" in capsys.readouterr().err
    assert all(len(r.expressions[0].boxes or ()) == 1 for r in records)


@needs_samples
def test_real_annotations_are_believed_without_a_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("train2017", "val2017"):
        path = SAMPLES / "coco_tiny" / "annotations" / f"instances_{split}.json"
        build(path, images=str(SAMPLES / "coco_tiny" / split), out=str(tmp_path / split))
    lvis = SAMPLES / "lvis_v05_val100" / "lvis_val_100.json"
    values = settings(lvis) | {"out": str(tmp_path / "lvis")}
    build_paco_lvis(PacoLvisBuildConfig(**values, check_images=False))
    assert "WARNING" not in capsys.readouterr().err
