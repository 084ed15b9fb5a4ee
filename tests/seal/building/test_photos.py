from __future__ import annotations

from pathlib import Path

import pytest
from record_sets import HEIGHT, WIDTH, draw_image

from seal.building.fields import box_inside
from seal.building.photos import MISSING, OTHER_SIZE, coco_places, find_photo, unusable
from seal.building.writer import CORRUPT
from seal.geometry import Box

NUMBER = "000000581857.jpg"


@pytest.mark.parametrize("asked", [NUMBER, f"COCO_train2014_{NUMBER}", f"coco/train2017/{NUMBER}"])
@pytest.mark.parametrize(
    "lies",
    [
        NUMBER,
        f"COCO_train2014_{NUMBER}",
        f"COCO_val2014_{NUMBER}",
        f"train2017/{NUMBER}",
        f"train2014/COCO_train2014_{NUMBER}",
        f"coco/val2014/COCO_val2014_{NUMBER}",
        f"images/mscoco/images/train2014/COCO_train2014_{NUMBER}",
    ],
)
def test_a_coco_photo_is_found_under_the_name_of_either_release(
    tmp_path: Path, asked: str, lies: str
) -> None:
    (tmp_path / lies).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / lies).touch()
    assert find_photo(tmp_path, coco_places(asked)) == lies


def test_the_name_as_given_comes_first() -> None:
    places = coco_places(f"coco/train2017/{NUMBER}")
    assert places[0] == f"coco/train2017/{NUMBER}" and len(places) == len(set(places))
    assert coco_places("gqa/images/2354786.jpg") == ["gqa/images/2354786.jpg"]
    assert coco_places("VG_100K/000000581857.png") == ["VG_100K/000000581857.png"]


def test_what_leads_out_of_the_root_is_not_found(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (tmp_path / "a.jpg").touch()
    (inside / "sub.jpg").mkdir()
    names = ["../a.jpg", str(tmp_path / "a.jpg"), "sub.jpg", "", "none.jpg"]
    assert find_photo(inside, names) is None
    assert find_photo(tmp_path, [*names, "a.jpg"]) == "a.jpg"


def test_a_photo_must_decode_and_have_the_annotated_size(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    draw_image(path)
    assert unusable(path, WIDTH, HEIGHT) is None
    assert unusable(path, HEIGHT, WIDTH) == OTHER_SIZE
    path.write_bytes(path.read_bytes()[:300])
    assert unusable(path, WIDTH, HEIGHT) == CORRUPT
    assert len({MISSING, OTHER_SIZE, CORRUPT}) == 3


def test_boxes_end_at_the_border() -> None:
    assert box_inside([-5, -5, 10, 10], 60, 40) == Box(0, 0, 5, 5)
    assert box_inside([50.5, 30, 20, 20], 60, 40) == Box(50.5, 30, 60, 40)
    for empty in ([70, 5, 5, 5], [5, 5, 0, 9], [5, 5, -3, 9]):
        assert box_inside(empty, 60, 40) is None
    for wrong in ([1, 2, 3], [1, 2, 3, 4, 5], ["a", 1, 2, 3]):
        with pytest.raises(ValueError):
            box_inside(wrong, 60, 40)  # type: ignore[arg-type]
