from __future__ import annotations

from pathlib import Path

import pytest

from seal.building.formats.image_lookup import ImageFiles
from seal.building.sources.photo_layouts import coco_places, flickr_places, visual_genome_places

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
    assert ImageFiles(tmp_path, drop_folders=False).find(coco_places(asked)) == lies


def test_the_name_as_given_comes_first() -> None:
    places = coco_places(f"coco/train2017/{NUMBER}")
    assert places[0] == f"coco/train2017/{NUMBER}" and len(places) == len(set(places))
    assert coco_places("gqa/images/2354786.jpg") == ["gqa/images/2354786.jpg"]
    assert coco_places("VG_100K/000000581857.png") == ["VG_100K/000000581857.png"]


def test_the_bare_root_comes_last() -> None:
    for places in (visual_genome_places("1.jpg"), flickr_places("1.jpg")):
        assert places[-1] == "1.jpg" and len(places) == len(set(places)) > 1
