from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coco_files import CATEGORIES, CROWD, SQUARE, annotation, edit_coco, write_coco
from golden_files import SAMPLES, needs_samples
from record_sets import HEIGHT, WIDTH, draw_image

from seal.building.coco.detection import CocoBuildConfig, build_coco
from seal.building.formats.image_lookup import CORRUPT
from seal.data.masks import rle_to_mask
from seal.data.record_set import Expression, Record, RecordSet
from seal.geometry import Box

BOX = [10, 5, 10, 10]
PLAIN = [annotation(i, 1, BOX) for i in range(3)]


def build(path: Path, **settings: Any) -> RecordSet:
    values = {"annotations": str(path), "images": str(path.parent), "out": str(path.parent / "out")}
    return build_coco(CocoBuildConfig(**(values | {"max_dropped": 1.0} | settings)))


def expressions(record: Record) -> dict[str, Expression]:
    return {expression.text: expression for expression in record.expressions}


def first(path: Path, **settings: Any) -> dict[str, Expression]:
    return expressions(build(path, **settings)[0])


def pixels(expression: Expression) -> np.ndarray[Any, Any]:
    assert expression.mask is not None
    return rle_to_mask(expression.mask)


def test_a_class_is_one_expression_with_all_its_boxes_and_one_mask(tmp_path: Path) -> None:
    other = annotation(0, 3, [30, 20, 5, 5], segmentation=[[30, 20, 35, 20, 35, 25, 30, 25]])
    more = annotation(0, 1, [30.5, 20, 5, 5], segmentation=[[30, 20, 35, 20, 35, 25, 30, 25]])
    path = write_coco(tmp_path, [other, *PLAIN, more])
    records = build(path)
    assert len(records) == 3
    found = expressions(records[0])
    assert list(found)[:2] == ["person", "dog"]
    assert found["person"].boxes == (Box(10, 5, 20, 15), Box(30.5, 20, 35.5, 25))
    mask = pixels(found["person"])
    assert mask.sum() == 125 and mask[5:15, 10:20].all() and mask[20:25, 30:35].all()
    assert pixels(found["dog"]).sum() == 25
    assert records[0].license == "CC BY" and records[1].license == "unknown"
    assert (records[0].id, records[0].image) == ("coco-0", "sub/0.png")


def annotated(*images: tuple[int, ...], **more: Any) -> list[dict[str, Any]]:
    """Of each image, one object of each of its classes."""
    return [annotation(i, c, BOX, **more) for i, classes in enumerate(images) for c in classes]


def absent(record: Record) -> dict[str, Expression]:
    return {name: e for name, e in expressions(record).items() if e.boxes == ()}


def test_some_absent_classes_are_asked_for(tmp_path: Path) -> None:
    path = write_coco(tmp_path, annotated((1, 2), (3, 4), (5,)))
    found = absent(build(path, num_absent=2)[0])
    assert len(found) == 2 and set(found) < {"dog", "kite", "wine glass"}
    assert not any(pixels(expression).any() for expression in found.values())
    unmasked = absent(build(path, num_absent=9, absent_masks=False, out=str(tmp_path / "b"))[0])
    assert set(unmasked) == {"dog", "kite", "wine glass"}
    assert all(e.mask is None for e in unmasked.values())
    assert len(first(path, num_absent=0, out=str(tmp_path / "c"))) == 2


def test_a_class_that_nobody_annotated_is_not_said_to_be_absent(tmp_path: Path) -> None:
    path = write_coco(tmp_path, annotated((1,), (3,)))
    assert [set(absent(record)) for record in build(path, num_absent=9)] == [{"dog"}, {"person"}]


@pytest.mark.parametrize(
    "nothing",
    [[], None, ..., [[10, 5, 10, 5, 10, 5]], [[]], {"size": [HEIGHT, WIDTH], "counts": [2400]}],
)
def test_a_file_without_masks_teaches_no_mask_of_absent_classes_either(
    tmp_path: Path, nothing: Any
) -> None:
    entries = annotated((1, 2), (3, 4), (5,))
    for entry in entries:
        entry["segmentation"] = nothing
    entries = [{k: v for k, v in entry.items() if v is not ...} for entry in entries]
    for record in build(write_coco(tmp_path, entries), num_absent=9):
        assert len(record.expressions) == 5
        assert all(e.mask is None for e in record.expressions)


def test_an_image_without_masks_teaches_none_beside_images_that_have_them(tmp_path: Path) -> None:
    entries = annotated((1, 2), (1, 3), (2, 3))
    for entry in entries[:2]:
        entry["segmentation"] = []
    records = build(write_coco(tmp_path, entries), num_absent=9)
    masked = [[e.mask is not None for e in record.expressions] for record in records]
    assert masked == [[False] * 3, [True] * 3, [True] * 3]
    assert [set(absent(record)) for record in records] == [{"dog"}, {"cup"}, {"person"}]


def test_absence_by_mask_is_taught_of_classes_with_masks_alone(tmp_path: Path) -> None:
    entries = annotated((1,), (2,), (3,), (1, 2))
    for entry in entries:
        if entry["category_id"] == 2:
            entry["segmentation"] = []
    records = build(write_coco(tmp_path, entries, 4), num_absent=9)
    found = [absent(record) for record in records]
    assert found[0]["cup"].mask is None and found[0]["dog"].mask is not None
    assert all(e.mask is None for e in found[1].values())  # its own class has no mask
    assert found[3]["dog"].mask is None  # one of two classes shown has none


def test_a_class_with_hardly_a_mask_is_not_taught_to_be_absent_by_masks(tmp_path: Path) -> None:
    entries = annotated(*[(1,)] * 5, *[(2,)] * 5)
    for entry in entries[1:5]:
        entry["segmentation"] = []
    records = list(build(write_coco(tmp_path, entries, 10), num_absent=9))
    assert [absent(record)["person"].mask for record in records[5:]] == [None] * 5
    assert absent(records[0])["cup"].mask is not None


def test_one_object_of_a_class_without_a_mask_leaves_the_class_without(tmp_path: Path) -> None:
    unmasked = annotation(0, 1, [30, 20, 5, 5], segmentation=[[30, 20, 30, 20, 30, 20]])
    found = first(write_coco(tmp_path, [*PLAIN, unmasked]))["person"]
    assert found.boxes == (Box(10, 5, 20, 15), Box(30, 20, 35, 25)) and found.mask is None


def test_a_class_of_crowds_alone_is_not_taught_to_have_no_box(tmp_path: Path) -> None:
    entries = [*annotated((1,), (1,)), annotation(2, 3, BOX, iscrowd=1)]
    records = build(write_coco(tmp_path, entries), num_absent=9)
    assert [set(expressions(r)) for r in records] == [{"person"}, {"person"}, {"dog", "person"}]


def test_what_is_to_be_ignored_is_there_but_no_object(tmp_path: Path) -> None:
    entries = [*annotated((1,), (3,)), annotation(0, 3, [30, 20, 5, 5], ignore=1)]
    found = first(write_coco(tmp_path, entries), num_absent=9)
    assert found["dog"].boxes is None and found["dog"].mask is not None


def test_masks_alone_have_the_boxes_of_their_extents(tmp_path: Path) -> None:
    entries = annotated((1,), (2,))
    entries[0]["bbox"], entries[1]["bbox"] = [0, 0, 0, 0], []
    records = build(write_coco(tmp_path, entries), num_absent=0)
    assert [r.expressions[0].boxes for r in records] == [(Box(10, 5, 20, 15),)] * 2


def test_an_annotation_that_occurs_twice_is_one_object(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [*PLAIN, PLAIN[0], annotation(0, 1, [30, 20, 5, 5])])
    assert first(path)["person"].boxes == (Box(10, 5, 20, 15), Box(30, 20, 35, 25))
    counts = RecordSet.open(tmp_path / "out").description["counts"]
    assert counts["annotations that occur twice"] == 1


@pytest.mark.parametrize("name", ["sub/0.png", "sub\\0.png", "./sub/0.png", "sub/%30.png"])
def test_a_photo_under_two_ids_lacks_nothing_that_either_shows(tmp_path: Path, name: str) -> None:
    path = write_coco(tmp_path, annotated((1,), (3,), (2,)))
    edit_coco(path, "images", 1, file_name=name)
    records = build(path, num_absent=9)
    assert [record.id for record in records] == ["coco-0", "coco-2"]
    assert {e.text for e in records[0].expressions if e.boxes} == {"person", "dog"}
    assert set(absent(records[0])) == {"cup"} and set(absent(records[1])) == {"person", "dog"}
    key = "images listed again under another id, joined with the first"
    assert records.description["counts"][key] == 1
    unseen = build(path, num_absent=9, check_images=False, out=str(tmp_path / "b"))
    assert [len(record.expressions) for record in unseen] == [3, 3]


def test_a_photo_of_two_sizes_is_left_out(tmp_path: Path) -> None:
    path = write_coco(tmp_path, annotated((1,), (3,), (2,)))
    edit_coco(path, "images", 1, file_name="sub/0.png", width=30, height=20)
    records = build(path, num_absent=9)
    assert [record.id for record in records] == ["coco-2"]
    key = "images listed several times with different sizes"
    assert records.description["counts"][key] == 2


def test_names_are_asked_for_as_they_are(tmp_path: Path) -> None:
    names = ["w/o helmet", "limit 30 km/h", "N/A", "on/off switch", "traffic_light"]
    path = write_coco(tmp_path, annotated((1, 2, 3, 4, 5)))
    for place, name in enumerate(names):
        edit_coco(path, "categories", place, name=name)
    for seed in range(3):
        found = first(path, seed=seed, out=str(tmp_path / str(seed)))
        assert list(found) == [name.lower() for name in names]


@pytest.mark.parametrize("name", ["/", "", " - "])
def test_a_name_without_a_word_is_not_asked_for_and_named(tmp_path: Path, name: str) -> None:
    path = write_coco(tmp_path, annotated((1, 2), (3,)))
    edit_coco(path, "categories", 0, name=name)
    records = build(path, num_absent=9)
    assert [{e.text for e in record.expressions} for record in records] == [{"cup", "dog"}] * 2
    counts = records.description["counts"]
    assert counts[f"categories without a word in their name: {name.strip()!r}"] == 1
    assert counts["annotations of nameless categories"] == 1


def test_categories_of_one_name_are_one_class_and_counted(tmp_path: Path) -> None:
    path = write_coco(tmp_path, annotated((1, 3), (2,)))
    edit_coco(path, "categories", 2, name="PERSON ")
    records = build(path, num_absent=9)
    assert {e.text for e in records[0].expressions if e.boxes} == {"person"}
    assert set(absent(records[0])) == {"cup"}
    assert records.description["counts"]["categories with the name of another"] == 1


def test_a_crowd_has_pixels_but_no_box(tmp_path: Path) -> None:
    crowd = annotation(0, 1, [0, 0, 1, 30], iscrowd=1, segmentation=CROWD)
    alone = annotation(1, 1, [0, 0, 1, 30], iscrowd=1, segmentation=CROWD)
    records = build(write_coco(tmp_path, [crowd, PLAIN[0], alone]), num_absent=0)
    both, only = records[0].expressions[0], records[1].expressions[0]
    assert both.boxes == (Box(10, 5, 20, 15),) and pixels(both).sum() == 130
    assert only.boxes is None and pixels(only).sum() == 30
    assert records.description["counts"]["crowds"] == 2


def test_compressed_rle_is_read(tmp_path: Path) -> None:
    from seal.data.masks import mask_to_rle

    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[3:9, 4:8] = 1
    found = first(write_coco(tmp_path, [annotation(0, 1, BOX, segmentation=mask_to_rle(mask))]))
    assert (pixels(found["person"]) == mask).all()


@pytest.mark.parametrize(
    "lacking",
    [
        None,
        [],
        [[1, 2, 3, 4]],
        [["a", 2, 3, 4, 5, 6]],
        {"size": [1, 1], "counts": [1]},
        {"size": [HEIGHT, WIDTH]},
        {"size": [HEIGHT, WIDTH], "counts": [-1, HEIGHT * WIDTH + 1]},
        {"size": [HEIGHT, WIDTH], "counts": "zzz"},
    ],
)
def test_a_class_with_a_missing_mask_has_none(tmp_path: Path, lacking: Any) -> None:
    path = write_coco(tmp_path, [*PLAIN, annotation(0, 1, BOX, segmentation=lacking)])
    found = first(path)["person"]
    assert found.boxes is not None and len(found.boxes) == 2 and found.mask is None
    counts = RecordSet.open(tmp_path / "out").description["counts"]
    assert counts.get("broken segmentations", 0) == bool(lacking)


def test_boxes_alone_can_be_asked_for(tmp_path: Path) -> None:
    records = build(write_coco(tmp_path, PLAIN), masks=False)
    assert all(e.mask is None for record in records for e in record.expressions)


def test_boxes_are_cut_at_the_border_and_dropped_outside(tmp_path: Path) -> None:
    boxes = [[-5, -5, 10, 10], [55, 35, 20, 20], [5, 5, 0, 9], [70, 5, 5, 5]]
    path = write_coco(tmp_path, [annotation(0, 1, box) for box in boxes])
    found = first(path)["person"]
    assert found.boxes == (Box(0, 0, 5, 5), Box(55, 35, 60, 40))
    assert RecordSet.open(tmp_path / "out").description["counts"]["boxes without area"] == 2


def test_boxes_of_a_class_are_capped(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, 1, [i, 0, 5, 5]) for i in range(7)])
    found = first(path, max_boxes=4)["person"]
    assert found.boxes is not None and [box.x0 for box in found.boxes] == [0, 1, 2, 3]
    counts = RecordSet.open(tmp_path / "out").description["counts"]
    assert counts["boxes beyond max_boxes"] == 3


def test_ids_may_be_text_or_numbers(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation("0", "1", BOX), annotation(1, 1, BOX)])
    edit_coco(path, "images", 1, id="1")
    assert [record.id for record in build(path)] == ["coco-0", "coco-1"]


def test_what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    path = write_coco(
        tmp_path,
        [*PLAIN, annotation(0, 99, BOX), annotation(77, 1, BOX), annotation(3, 1, BOX)],
        num_images=6,
    )
    (tmp_path / "sub" / "1.png").unlink()
    (tmp_path / "sub" / "2.png").write_bytes((tmp_path / "sub" / "2.png").read_bytes()[:300])
    draw_image(tmp_path / "sub" / "3.png", 10, 10)
    records = build(path, max_corrupt=0.5)
    assert [record.id for record in records] == ["coco-0"]
    assert records.description["counts"] == {
        "items read": 6,
        "annotations of unlisted images": 1,
        "annotations of unknown categories": 1,
        "image file missing": 1,
        CORRUPT: 1,
        "image size differs from its annotation": 1,
        "image without objects": 2,
        "records written": 1,
    }


def test_too_many_corrupt_images_fail_the_build_and_keep_nothing(tmp_path: Path) -> None:
    path = write_coco(tmp_path, PLAIN)
    whole = (tmp_path / "sub" / "1.png").read_bytes()
    (tmp_path / "sub" / "1.png").write_bytes(whole[:300])
    with pytest.raises(ValueError, match=r"1 of 3 images in .* max_corrupt=0.2"):
        build(path, max_corrupt=0.2)
    (tmp_path / "sub" / "1.png").write_bytes(whole)
    assert len(build(path, max_corrupt=0.2)) == 3


def test_a_wrong_image_folder_is_an_error(tmp_path: Path) -> None:
    path = write_coco(tmp_path, PLAIN)
    with pytest.raises(ValueError, match="nowhere is not a folder"):
        build(path, images=str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"3 items gave no record: .*'image file missing': 3"):
        build(path, images=str(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("key", "index", "values", "message"),
    [
        ("images", 1, {"id": ...}, r"coco.json: byte \d+: an entry of images has no key 'id'"),
        ("images", 1, {"id": 0}, "image id 0 occurs twice"),
        ("images", 0, {"file_name": ...}, r"coco.json: image at byte \d+: no key 'file_name'"),
        ("images", 1, {"file_name": " "}, r"coco.json: image at byte \d+: an image's file name"),
        ("images", 0, {"width": "wide"}, r"coco.json: image at byte \d+: .*wide"),
        (
            "annotations",
            0,
            {"bbox": [0, 0, 5, "nan"]},
            r"image at byte \d+: .*bbox must be a finite",
        ),
        (
            "annotations",
            0,
            {"bbox": ..., "segmentation": []},
            r"coco.json: image at byte \d+: an annotation has neither a bbox nor a segmentation",
        ),
        (
            "annotations",
            0,
            {"bbox": ..., "segmentation": [[1, "a"]]},
            r"coco.json: image at byte \d+: .* no bbox, and its segmentation is broken",
        ),
        ("annotations", 0, {"category_id": ...}, r"image at byte \d+: no key 'category_id'"),
        ("annotations", 0, {"category_id": 1.5}, r"byte \d+: a broken entry of annotations: an id"),
        ("categories", 1, {"id": 1}, r"byte \d+: .* category id 1 occurs twice"),
        ("annotations", 0, {"bbox": [1, 2]}, r"coco.json: image at byte \d+"),
        ("annotations", 0, {"image_id": ...}, "an entry of annotations has no key 'image_id'"),
        ("categories", 0, {"name": 5}, "a broken entry of categories"),
    ],
)
def test_a_broken_entry_names_file_and_byte(
    tmp_path: Path, key: str, index: int, values: dict[str, Any], message: str
) -> None:
    path = write_coco(tmp_path, PLAIN)
    edit_coco(path, key, index, **values)
    with pytest.raises(ValueError, match=message):
        build(path)


def test_a_file_that_is_not_coco_says_what_is_missing(tmp_path: Path) -> None:
    path = write_coco(tmp_path, PLAIN)
    document = json.loads(path.read_text())
    del document["categories"]
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="has no categories: not COCO"):
        build(path)
    path.write_text(path.read_text()[:-50])
    with pytest.raises(ValueError, match=r"coco.json: byte \d+: .*complete"):
        build(path)
    with pytest.raises(ValueError, match=r"annotations=.*other.json is not a file"):
        build(path.with_name("other.json"), images=str(tmp_path))


def test_boxes_may_be_texts_and_crowds_unmarked(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, 1, BOX), annotation(1, 1, BOX)])
    edit_coco(path, "annotations", 0, bbox=["10", "5", "10.0", "1e1"], iscrowd=...)
    edit_coco(path, "annotations", 1, iscrowd="0")
    for record in build(path, num_absent=0):
        assert record.expressions[0].boxes == (Box(10, 5, 20, 15),)


@pytest.mark.parametrize(
    ("segmentation", "box"),
    [
        ([[10.5, 5, 20, 5, 20, 15], [1, 2, 3, 2, 3, 4]], Box(1, 2, 20, 15)),
        (CROWD, Box(0, 0, 1, 30)),
    ],
)
def test_a_missing_box_is_that_of_the_segmentation(
    tmp_path: Path, segmentation: Any, box: Box
) -> None:
    path = write_coco(tmp_path, [annotation(0, 1, BOX, segmentation=segmentation)])
    edit_coco(path, "annotations", 0, bbox=...)
    assert first(path)["person"].boxes == (box,)


def test_a_missing_size_is_that_of_the_image(tmp_path: Path) -> None:
    path = write_coco(tmp_path, PLAIN)
    edit_coco(path, "images", 0, width=..., height=None)
    record = build(path)[0]
    assert (record.width, record.height) == (WIDTH, HEIGHT)
    with pytest.raises(ValueError, match="image at byte"):
        build(path, out=str(tmp_path / "b"), check_images=False)


def test_images_may_be_elsewhere(tmp_path: Path) -> None:
    path = write_coco(tmp_path, PLAIN)
    edit_coco(path, "images", 0, file_name="s3://bucket/sub/0.png")
    away = str(tmp_path / "away")
    records = build(path, images=away, check_images=False)
    assert [record.image for record in records] == ["sub/0.png", "sub/1.png", "sub/2.png"]
    assert "sub/0.png is not here" in (tmp_path / "out" / "report.html").read_text()


def test_folders_are_not_dropped_where_two_images_share_a_name(tmp_path: Path) -> None:
    path = write_coco(tmp_path, PLAIN)
    for i in range(3):
        edit_coco(path, "images", i, file_name=f"train/images/{i}.png")
    assert [r.image for r in build(path, images=str(tmp_path / "sub"))] == [
        "0.png", "1.png", "2.png",
    ]  # fmt: skip
    for name in ("val/images/0.png", "val\\images\\0.png"):
        edit_coco(path, "images", 2, file_name=name)
        with pytest.raises(ValueError, match="'image file missing': 3"):
            build(path, images=str(tmp_path / "sub"), out=str(tmp_path / "b"))


def test_a_mask_without_a_pixel_is_no_mask(tmp_path: Path) -> None:
    tiny = [[10.1, 5.1, 10.2, 5.1, 10.2, 5.2]]
    path = write_coco(tmp_path, [annotation(0, 1, [10.1, 5.1, 0.1, 0.1], segmentation=tiny)])
    assert first(path)["person"].mask is None
    assert RecordSet.open(tmp_path / "out").description["counts"]["masks without a pixel"] == 1


@pytest.mark.parametrize("wrong", [{"num_absent": -1}, {"max_boxes": 0}, {"limit": 0}])
def test_a_wrong_config_names_the_field(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CocoBuildConfig(annotations="a", images="b", out="c", **wrong)


def test_the_polygon_of_the_fixture_is_the_box_of_the_fixture() -> None:
    xs, ys = SQUARE[0][::2], SQUARE[0][1::2]
    assert [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)] == BOX
    assert len(CATEGORIES) == 5


@needs_samples
@pytest.mark.parametrize("split", ["train2017", "val2017"])
def test_real_annotations_become_a_set(tmp_path: Path, split: str) -> None:
    source = SAMPLES / "coco_tiny"
    annotations = source / "annotations" / f"instances_{split}.json"
    document = json.loads(annotations.read_text())
    settings = {"images": str(source / split), "out": str(tmp_path)}
    records = build(annotations, **settings)
    counts = records.description["counts"]
    crowds = sum(a["iscrowd"] for a in document["annotations"])
    boxes = sum(len(e.boxes or ()) for record in records for e in record.expressions)
    assert counts.get("crowds", 0) == crowds
    assert boxes + crowds == len(document["annotations"])
    assert len(records) + counts.get("image without objects", 0) == len(document["images"])
    for record in records:
        by_class = {a["category_id"] for a in document["annotations"]
                    if a["image_id"] == record.meta["image_id"]}  # fmt: skip
        assert len(record.expressions) == len(by_class) + 3
        assert all(e.mask is not None for e in record.expressions)
