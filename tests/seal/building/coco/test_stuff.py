from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden_files import SAMPLES, needs_samples
from PIL import Image
from record_sets import HEIGHT, WIDTH, draw_image

from seal.building.coco.stuff import CocoStuffBuildConfig, build_coco_stuff, read_labels
from seal.building.formats.image_lookup import CORRUPT
from seal.data.masks import rle_to_mask
from seal.data.record_set import Expression, Record, RecordSet
from seal.geometry import Box

THINGS = {1: "person", 18: "dog", 19: "horse"}
STUFF = {124: "grass", 157: "sky-other", 171: "wall-brick", 182: "wood", 183: "other"}
GRASS, SKY, WALL = 124, 157, 171


def write_source(folder: Path, num_images: int = 1) -> dict[str, str]:
    """Image 1 and more: a dog of two boxes on grass below the sky, a wall, unlabeled pixels."""
    images = []
    for i in range(1, num_images + 1):
        images.append({"id": i, "file_name": f"{i:03d}.png", "width": WIDTH, "height": HEIGHT})
        draw_image(folder / "images" / f"{i:03d}.png")
        write_map(folder, f"{i:03d}", default_map())
    things = [box(1, 18, [0, 30, 5, 5]), box(1, 18, [10, 30, 5, 5])]
    stuff = [box(1, GRASS, [0, 20, 60, 20]), box(1, WALL, [50, 0, 10, 20])]
    for name, classes, boxes in (("things", THINGS, things), ("stuff", STUFF, stuff)):
        document = {
            "images": images,
            "annotations": boxes,
            "categories": [{"id": key, "name": text} for key, text in classes.items()],
        }
        (folder / f"{name}.json").write_text(json.dumps(document))
    lines = [f"{key}: {text}" for key, text in ({0: "unlabeled"} | THINGS | STUFF).items()]
    (folder / "labels.txt").write_text("\n".join([*lines, "26: hat"]))
    return {
        "annotations": str(folder / "things.json"),
        "stuff": str(folder / "stuff.json"),
        "maps": str(folder / "maps"),
        "images": str(folder / "images"),
        "out": str(folder / "out"),
    }


def default_map() -> np.ndarray[Any, Any]:
    pixels = np.full((HEIGHT, WIDTH), SKY - 1, np.uint8)
    pixels[20:] = GRASS - 1
    pixels[30:35, 0:5] = pixels[30:35, 10:15] = 18 - 1
    pixels[:20, 50:] = WALL - 1
    pixels[0, 0] = 255
    return pixels


def write_map(folder: Path, stem: str, pixels: np.ndarray[Any, Any]) -> None:
    (folder / "maps").mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / "maps" / f"{stem}.png")


def box(image: int, category: int, xywh: list[float], **more: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": category, "bbox": xywh, "iscrowd": 0} | more


def edit(path: str, key: str, index: int | None = None, value: Any = None, **fields: Any) -> None:
    document = json.loads(Path(path).read_text())
    if index is None:
        document[key] = value
    else:
        document[key][index].update(fields)
    Path(path).write_text(json.dumps(document))


def maps_alone(source: dict[str, str], **settings: Any) -> RecordSet:
    labels = str(Path(source["maps"]).parent / "labels.txt")
    return build(source | {"annotations": "", "stuff": "", "labels": labels}, **settings)


def build(source: dict[str, str], **settings: Any) -> RecordSet:
    return build_coco_stuff(CocoStuffBuildConfig(**(source | {"max_dropped": 1.0} | settings)))


def expressions(record: Record) -> dict[str, Expression]:
    return {expression.text: expression for expression in record.expressions}


def test_boxes_come_from_both_files_and_masks_from_the_map(tmp_path: Path) -> None:
    found = expressions(build(write_source(tmp_path))[0])
    assert found["dog"].boxes == (Box(0, 30, 5, 35), Box(10, 30, 15, 35))
    assert found["grass"].boxes == (Box(0, 20, 60, 40),)
    pixels = default_map()
    for name, category in (("dog", 18), ("grass", GRASS), ("sky", SKY)):
        mask = found[name].mask
        assert mask is not None and (rle_to_mask(mask) == (pixels == category - 1)).all()


def test_a_class_without_annotation_has_a_mask_and_no_box_supervision(tmp_path: Path) -> None:
    sky = expressions(build(write_source(tmp_path))[0])["sky"]
    assert sky.boxes is None and sky.mask is not None


def test_a_merged_class_has_boxes_and_no_mask(tmp_path: Path) -> None:
    wall = expressions(build(write_source(tmp_path))[0])["wall-brick"]
    assert wall.boxes == (Box(50, 0, 60, 20),) and wall.mask is None


def test_absent_is_what_has_neither_box_nor_pixel(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    pixels = default_map()
    pixels[39, 59] = 1 - 1  # a person without an annotation
    pixels[:20] = GRASS - 1  # neither sky nor wall; the wall still has its box
    write_map(tmp_path, "001", pixels)
    found = expressions(build(source, num_absent=9)[0])
    assert {name for name, e in found.items() if e.boxes == ()} == {"horse", "sky"}  # not wood
    assert not rle_to_mask(found["horse"].mask or {}).any()
    assert found["wall-brick"].mask is None and found["person"].boxes is None


def test_a_class_without_a_pixel_has_no_mask(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    pixels = default_map()
    pixels[pixels == 18 - 1] = GRASS - 1
    write_map(tmp_path, "001", pixels)
    records = build(source)
    dog = expressions(records[0])["dog"]
    assert dog.mask is None and dog.boxes is not None
    assert records.description["counts"]["classes without a mask: no pixel in the map"] == 1


def test_crowds_have_no_box_and_boxes_are_capped(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    edit(source["annotations"], "annotations", 0, iscrowd=1)
    records = build(source)
    assert expressions(records[0])["dog"].boxes == (Box(10, 30, 15, 35),)
    assert records.description["counts"]["crowds"] == 1
    many = [box(1, 18, [i % 50, i / 4, 5, 5]) for i in range(120)]
    edit(source["annotations"], "annotations", value=many)
    records = build(source, out=str(tmp_path / "b"))
    assert len(expressions(records[0])["dog"].boxes or ()) == 100
    assert records.description["counts"]["boxes beyond max_boxes"] == 20


def test_images_are_joined_by_id_not_by_place(tmp_path: Path) -> None:
    source = write_source(tmp_path, 3)
    images = json.loads(Path(source["stuff"]).read_text())["images"]
    edit(source["stuff"], "images", value=[images[2], images[0]])
    edit(source["annotations"], "annotations", 0, image_id=3)
    edit(source["stuff"], "annotations", 0, image_id="3")
    records = build(source)
    assert records.description["counts"]["image not listed in the stuff file"] == 1
    assert [record.meta["image_id"] for record in records] == [1, 3]
    found = [expressions(record) for record in records]
    assert found[0]["grass"].boxes is None and found[1]["grass"].boxes == (Box(0, 20, 60, 40),)


def test_maps_alone_give_masks_without_boxes(tmp_path: Path) -> None:
    records = maps_alone(write_source(tmp_path, 2), num_absent=9)
    assert [record.id for record in records] == ["coco_stuff-1", "coco_stuff-2"]
    found = expressions(records[0])
    shown = {name for name, e in found.items() if rle_to_mask(e.mask or {}).any()}
    assert shown == {"dog", "grass", "sky"}
    # No hat: COCO annotates none, so its absence from the map says nothing.
    assert set(found) - shown == {"person", "horse"}
    # Nothing says where boxes are, so that there are none of the absent is not taught either.
    assert all(e.boxes is None for e in found.values())


def test_what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    source = write_source(tmp_path, 7)
    (tmp_path / "images" / "002.png").unlink()
    broken = (tmp_path / "images" / "003.png").read_bytes()[:300]
    (tmp_path / "images" / "003.png").write_bytes(broken)
    (tmp_path / "maps" / "004.png").write_bytes(b"no map")
    write_map(tmp_path, "005", default_map()[:-1])
    write_map(tmp_path, "006", np.full((HEIGHT, WIDTH), 255, np.uint8))
    (tmp_path / "maps" / "007.png").unlink()
    unlabeled = default_map()
    unlabeled[0, :3] = 200
    write_map(tmp_path, "001", unlabeled)
    reasons = {
        "image file missing": 1,
        CORRUPT: 1,
        "map does not decode": 1,
        "map size differs from its image": 1,
        "image without objects": 1,
        "records written": 1,
        "map values without a class": 1,
    }
    counts = build(source, max_corrupt=0.5).description["counts"]
    assert counts.items() >= (reasons | {"map missing": 1}).items()
    counts = maps_alone(source, max_corrupt=0.5, out=str(tmp_path / "b")).description["counts"]
    assert counts.items() >= reasons.items() and "map missing" not in counts


def test_a_map_in_color_is_an_error(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "maps" / "001.png")
    with pytest.raises(ValueError, match=r"001.png has RGB pixels; .* \(L\)"):
        build(source)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stuff": ""}, "go together"),
        ({"annotations": "", "stuff": ""}, "class names come from"),
        ({"labels": "labels.txt"}, "class names come from"),
        ({"masks": False}, "masks=false"),
        ({"maps": "nowhere"}, "maps=nowhere is not a folder"),
        ({"stuff": "nowhere"}, "stuff=nowhere is not a file"),
    ],
)
def test_a_wrong_config_names_the_field(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build(write_source(tmp_path) | settings)


def test_files_that_are_not_coco_stuff_are_refused(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    with pytest.raises(ValueError, match="share category ids"):
        build(source | {"stuff": source["annotations"]})
    edit(source["stuff"], "categories", 0, id=300)
    with pytest.raises(ValueError, match="category id 300 is none of COCO-Stuff"):
        build(source)
    (tmp_path / "labels.txt").write_text("0: unlabeled\nperson\n")
    with pytest.raises(ValueError, match=r"labels\.txt:2: expected `id: name`, got 'person'"):
        read_labels(tmp_path / "labels.txt")


@needs_samples
@pytest.mark.parametrize("split", ["train2017", "val2017"])
def test_real_maps_become_a_set(tmp_path: Path, split: str) -> None:
    source = SAMPLES / "coco_stuff"
    records = build_coco_stuff(
        CocoStuffBuildConfig(
            maps=str(source / "stuffthingmaps" / split),
            labels=str(source / "cocostuff_classes.txt"),
            images=str(source / split),
            out=str(tmp_path),
        )
    )
    assert len(records) == len(list((source / split).iterdir()))
    names = read_labels(source / "cocostuff_classes.txt")
    ids = {name: category for category, name in names.items()}
    for record in records:
        assert record.image is not None
        path = source / "stuffthingmaps" / split / f"{Path(record.image).stem}.png"
        pixels = np.asarray(Image.open(path))
        for expression in record.expressions:
            assert expression.mask is not None
            mask = rle_to_mask(expression.mask).astype(bool)
            assert (mask == (pixels == ids[expression.text] - 1)).all()


def test_a_wrong_bit_in_a_map_is_no_other_class(tmp_path: Path) -> None:
    source = write_source(tmp_path, 2)
    path = tmp_path / "maps" / "001.png"
    whole = path.read_bytes()
    start = whole.index(b"IDAT") + 4
    for place in range(start, whole.index(b"IEND") - 4, 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        records = maps_alone(source, out=str(tmp_path / f"out{place}"))
        assert len(records) == 1 and records.description["counts"]["map does not decode"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"1: a\n1: b", ":2: id 1 occurs twice"), (b"1: \xff", "not UTF-8"), (b"1: a\0", "zero byte")],
)
def test_damaged_labels_are_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"labels\.txt.*{message}"):
        read_labels(path)


def test_a_map_that_changed_at_the_same_length_is_another_source(tmp_path: Path) -> None:
    source = write_source(tmp_path)
    path = tmp_path / "maps" / "001.png"
    facts = []
    for value in (SKY - 1, GRASS - 1):
        content = np.full((HEIGHT, WIDTH), value, np.uint8)
        Image.fromarray(content).save(path, compress_level=0)
        out = str(tmp_path / f"out{value}")
        settings = CocoStuffBuildConfig(**(source | {"out": out}))
        facts.append((path.stat().st_size, build_coco_stuff(settings).description["settings"]))
    (size, first), (same, second) = facts
    assert size == same and first["maps"]["files"] == 1
    assert {key for key in first if first[key] != second[key]} == {"maps"}


def test_maps_that_are_not_there_are_a_loss_that_is_named(tmp_path: Path) -> None:
    source = write_source(tmp_path, num_images=4)
    (tmp_path / "maps" / "002.png").unlink()
    with pytest.raises(ValueError, match=r"1 of 4 items are lost.*1 for: map missing \(.*002\.png"):
        build_coco_stuff(CocoStuffBuildConfig(**source, max_dropped=0.2))
    records = build_coco_stuff(CocoStuffBuildConfig(**source, max_dropped=0.25))
    assert records.description["examples"] == {"map missing": [str(tmp_path / "maps" / "002.png")]}
