from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from coco_files import CROWD, SQUARE, annotation
from golden_files import SAMPLES, needs_samples
from record_sets import HEIGHT, WIDTH, draw_image

from seal.building.coco.paco_lvis import PacoLvisBuildConfig, build_paco_lvis, phrases_of
from seal.data.record_set import RecordSet

BOX = [10, 5, 10, 10]
CAR = "car_(automobile)"
CATEGORIES = ["trash_can", CAR, f"{CAR}:headlight", "Mug:handle", "bow_(a)", "bow_(b)"]


def write_paco(folder: Path, annotations: list[dict[str, Any]], **image: Any) -> Path:
    """Image 7, found by its address alone unless `image` says otherwise."""
    entry = {
        "id": 7,
        "coco_url": "http://images.example/train2017/000000000007.png",
        "width": WIDTH,
        "height": HEIGHT,
        "neg_category_ids": [],
        "not_exhaustive_category_ids": [],
    }
    draw_image(folder / "images" / "000000000007.png")
    document = {
        "images": [entry | image],
        "annotations": annotations,
        "categories": [
            {"id": i + 1, "name": name, "supercategory": "PART" if ":" in name else "OBJECT"}
            for i, name in enumerate(CATEGORIES)
        ],
        "part_categories": [{"id": 1, "name": "headlight"}],
    }
    path = folder / "paco.json"
    path.write_text(json.dumps(document))
    return path


def build(path: Path, **settings: Any) -> RecordSet:
    values = {"annotations": str(path), "images": str(path.parent / "images")}
    values["out"] = str(path.parent / "out")
    return build_paco_lvis(PacoLvisBuildConfig(**(values | {"max_dropped": 1.0} | settings)))


def found(path: Path, **settings: Any) -> dict[str, Any]:
    return {e.text: e for e in build(path, **settings)[0].expressions}


@pytest.mark.parametrize(
    ("name", "phrases"),
    [
        ("trash_can", ["trash can"]),
        ("car_(automobile)", ["car"]),
        ("Mouse_(x_y):left_button", ["mouse left button", "the left button of the mouse"]),
        ("television_set:base", ["television set base", "the base of the television set"]),
        ("drum_(musical_instrument)", ["drum"]),
    ],
)  # fmt: skip
def test_a_name_becomes_a_phrase(name: str, phrases: list[str]) -> None:
    assert phrases_of(name) == phrases


def test_objects_and_parts_have_boxes_and_masks(tmp_path: Path) -> None:
    path = write_paco(
        tmp_path,
        [
            annotation(7, 1, BOX),
            annotation(7, 3, BOX),
            annotation(7, 3, [0, 0, 1, 30], segmentation=CROWD),
        ],
    )
    record = build(path)[0]
    assert record.image == "000000000007.png"
    first, second = record.expressions
    assert first.text == "trash can" and first.boxes is not None and first.mask is not None
    assert second.text in ("car headlight", "the headlight of the car")
    assert second.boxes is not None and len(second.boxes) == 2 and second.mask is not None


def test_images_are_found_by_their_addresses(tmp_path: Path) -> None:
    path = write_paco(tmp_path, [annotation(7, 1, BOX), annotation(8, 1, BOX)])
    document = json.loads(path.read_text())
    other = document["images"][0] | {"id": 8, "file_name": None}
    other["coco_url"] = other["coco_url"].replace("07.png", "08.png")
    draw_image(tmp_path / "images" / "000000000008.png")
    document["images"].append(other)
    path.write_text(json.dumps(document))
    assert [r.image for r in build(path)] == ["000000000007.png", "000000000008.png"]


def test_the_two_phrases_of_a_part_occur_half_and_half(tmp_path: Path) -> None:
    path = write_paco(tmp_path, [annotation(7, 4, BOX)])
    texts = Counter(
        text for seed in range(60) for text in found(path, seed=seed, out=str(tmp_path / str(seed)))
    )
    assert set(texts) == {"mug handle", "the handle of the mug"}
    assert min(texts.values()) >= 18  # 30 +- 3 deviations


def test_no_box_is_left_out(tmp_path: Path) -> None:
    path = write_paco(tmp_path, [annotation(7, 1, [i % 50, i / 4, 5, 5]) for i in range(120)])
    assert len(found(path)["trash can"].boxes) == 120


def test_only_what_an_image_was_checked_for_is_absent(tmp_path: Path) -> None:
    boxes = [annotation(7, 1, BOX)]
    absent = {t for t, e in found(write_paco(tmp_path, boxes)).items() if e.boxes == ()}
    assert absent == set()
    path = write_paco(tmp_path, boxes, neg_category_ids=[2, "4", 1])
    texts = {t for t, e in found(path, out=str(tmp_path / "b")).items() if e.boxes == ()}
    assert "car" in texts and len(texts) == 2 and "trash can" not in texts


def test_an_image_without_a_list_lacks_what_other_images_show(tmp_path: Path) -> None:
    path = write_paco(tmp_path, [annotation(7, 1, BOX)], neg_category_ids=None)
    document = json.loads(path.read_text())
    document["images"].append(document["images"][0] | {"id": 8, "file_name": "8.png"})
    document["annotations"] += [annotation(8, 2, BOX), annotation(8, 5, BOX)]
    draw_image(tmp_path / "images" / "8.png")
    path.write_text(json.dumps(document))
    texts = {t for t, e in found(path, num_absent=9).items() if not e.boxes}
    assert texts == {"car"}  # not the mug's handle, of which nobody annotated any


def test_what_is_not_everywhere_annotated_is_left_out_and_counted(tmp_path: Path) -> None:
    boxes = [annotation(7, 1, BOX), annotation(7, 2, BOX)]
    path = write_paco(tmp_path, boxes, not_exhaustive_category_ids=[2])
    records = build(path)
    assert [e.text for e in records[0].expressions] == ["trash can"]
    assert records.description["counts"]["classes not everywhere annotated in the image"] == 1
    assert set(found(path, incomplete=True, out=str(tmp_path / "b"))) == {"trash can", "car"}


def test_a_phrase_that_means_two_categories_is_not_asked(tmp_path: Path) -> None:
    path = write_paco(
        tmp_path, [annotation(7, 5, BOX), annotation(7, 1, BOX)], neg_category_ids=[6]
    )
    records = build(path)
    assert [e.text for e in records[0].expressions] == ["trash can"]
    counts = records.description["counts"]
    assert counts["categories whose name another one shares"] == 2
    assert counts["classes without a name of their own"] == 1


def test_the_fixture_is_a_square() -> None:
    assert len(SQUARE[0]) == 8 and len(CATEGORIES) == 6


@needs_samples
def test_real_lvis_annotations_become_a_set(tmp_path: Path) -> None:
    path = SAMPLES / "lvis_v05_val100" / "lvis_val_100.json"
    document = json.loads(path.read_text())
    records = build(path, out=str(tmp_path), source="lvis", check_images=False)
    by_id = {image["id"]: image for image in document["images"]}
    names = {c["id"]: phrases_of(c["name"])[0] for c in document["categories"]}
    for record in records:
        image = by_id[record.meta["image_id"]]
        absent = {e.text for e in record.expressions if e.boxes == ()}
        assert absent <= {names[c] for c in image["neg_category_ids"]}
        left_out = {names[c] for c in image["not_exhaustive_category_ids"]}
        assert not left_out & {e.text for e in record.expressions if e.boxes}
    assert len(records) > 90
