from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from coco_files import annotation, edit_coco, write_coco
from record_sets import HEIGHT, WIDTH

from seal.building.coco.detection import CocoBuildConfig, build_coco
from seal.building.coco.images import find_image, image_files, look_up, read_coco_image
from seal.building.coco.index import CocoIndex
from seal.building.formats.image_lookup import MISSING, ImageFile
from seal.building.vqa_mixture.focus import FocusBuildConfig, build_focus
from seal.building.vqa_mixture.negative import NegativeBuildConfig, build_negative
from seal.building.vqa_mixture.spatial import SpatialBuildConfig, build_spatial
from seal.data.record_set import RecordSet

DOG, KITE = [2, 10, 12, 12], [40, 12, 12, 12]


def irregular(folder: Path) -> dict[str, Any]:
    """A source as other tools write it: ids of three kinds, a class twice, a path and a license."""
    path = write_coco(
        folder,
        [
            annotation(0, 3.0, DOG, id=5),
            annotation("0", "5", KITE, id=6),
            annotation(0, 99, DOG),
            annotation("elsewhere", 1, DOG),  # so that somebody looked for persons
        ],
        num_images=2,
    )
    edit_coco(path, "categories", 4, id="5", name="Kite")
    edit_coco(path, "images", 0, file_name="C:\\data\\sub\\0.png", license="4")
    edit_coco(path, "images", 1, file_name=..., coco_url="https://host.example/x/sub/1.png")
    return {"annotations": str(path), "images": str(folder), "out": str(folder / "out")}


def shown(records: RecordSet) -> list[tuple[str, str | None, int, int]]:
    return [(r.license, r.image, r.width, r.height) for r in records]


def test_builders_of_questions_understand_what_the_detection_builder_does(tmp_path: Path) -> None:
    expected = ("CC BY", "sub/0.png", WIDTH, HEIGHT)
    sources = [irregular(tmp_path / name) for name in ("coco", "spatial", "negative", "focus")]
    found = build_coco(CocoBuildConfig(**sources[0]))
    assert shown(found) == [expected]
    assert [e.text for e in found[0].expressions if e.boxes] == ["dog", "kite"]
    spatial = build_spatial(SpatialBuildConfig(**sources[1], min_side=5))
    assert shown(spatial) == [expected]
    assert sorted(spatial[0].meta["annotation_ids"]) == [5, 6]
    negative = build_negative(NegativeBuildConfig(**sources[2], per_image=9, two_share=0))
    assert shown(negative)[0] == expected
    assert negative[len(negative) - 1].image == "sub/1.png"
    asked = {name for r in negative if r.meta["image_id"] == 0 for name in r.meta["absent"]}
    assert "dog" not in asked and "kite" not in asked and "person" in asked
    talk = [{"from": "human", "value": "What does the dog do?"}, {"from": "gpt", "value": "It is."}]
    llava = tmp_path / "focus" / "llava.json"
    llava.write_text(json.dumps([{"id": 1, "image": "0.png", "conversations": talk}]))
    focus = build_focus(FocusBuildConfig(**sources[3], llava=str(llava)))
    assert [t.name for t in focus[0].targets] == ["dog"]
    assert (focus[0].image, focus[0].meta["image_license"]) == ("sub/0.png", "CC BY")
    for records in (found, spatial, negative, focus):
        assert records.description["counts"]["annotations of unknown categories"] == 1


def test_an_image_without_a_size_takes_that_of_its_file(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, 1, DOG)])
    edit_coco(path, "images", 0, width=...)
    index = CocoIndex(path)
    files = image_files(str(tmp_path), index)
    assert find_image(index.entry(0), files) == ImageFile("sub/0.png", WIDTH, HEIGHT)
    with pytest.raises(KeyError):
        find_image(index.entry(0), files, check=False)
    assert look_up(index, 0, image_files(str(tmp_path / "none"), index)) == MISSING


def test_the_sides_of_a_class_are_those_of_all_its_boxes(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, 1, [0, 0, 3, 9]), annotation(0, "1", [0, 0, 7, 2])])
    counts: Counter[str] = Counter()
    image = read_coco_image(CocoIndex(path), 0, "unknown", counts)
    assert image.sides == {"1": (9, 7)} and image.license == "CC BY" and not counts
