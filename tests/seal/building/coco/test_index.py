from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from coco_files import annotation, edit_coco, write_coco
from hypothesis import given, settings
from hypothesis import strategies as st

from seal.building.coco.index import CocoIndex
from seal.building.formats.fields import id_text

BOX = [10, 5, 10, 10]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.integers(-(2**63), 2**70) | st.text("0aZ-", min_size=1, max_size=4),
        min_size=1, max_size=8, unique_by=id_text,
    ),
    st.lists(st.integers(0, 8), max_size=30),
)  # fmt: skip
def test_annotations_come_in_file_order_whatever_the_ids(
    tmp_path_factory: pytest.TempPathFactory, ids: list[Any], owners: list[int]
) -> None:
    path = tmp_path_factory.mktemp("coco") / "coco.json"
    named = [(i, ids[owner]) for i, owner in enumerate([0, *owners]) if owner < len(ids)]
    document = {
        "images": [{"id": i, "file_name": "a"} for i in ids],
        "annotations": [{"id": i, "image_id": owner, "category_id": 1} for i, owner in named],
        "categories": [{"id": 1, "name": "cup"}],
    }
    path.write_text(json.dumps(document))
    index = CocoIndex(path)
    for row, image in enumerate(ids):
        entry, annotations = index.read(row)
        assert entry["id"] == image and index.row(image) == row
        assert [a["id"] for a in annotations] == [i for i, owner in named if owner == image]
    assert index.row("none") is None


def test_one_id_in_three_spellings(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(i, 1, BOX) for i in ("1", 1.0, 1, "01", "x")])
    index = CocoIndex(path)
    assert len(index.annotations(1)) == 3
    assert index.counts["annotations of unlisted images"] == 2
    assert index.row("1") == index.row(1.0) == 1
    assert {index.category({"category_id": c}) for c in (2, "2", 2.0)} == {"2"}
    with pytest.raises(ValueError, match=r"an id is a whole number or a text, got 1\.5"):
        index.row(1.5)


def test_an_index_travels_to_another_process_without_its_open_file(tmp_path: Path) -> None:
    index = CocoIndex(write_coco(tmp_path, [annotation(2, 1, BOX)]))
    before = index.read(2)
    assert pickle.loads(pickle.dumps(index)).read(2) == before


def test_a_class_that_only_groups_others_is_dropped(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, 1, BOX), annotation(0, 3, BOX)])
    for i, (name, group) in enumerate(
        [("person", "person"), ("things", "none"), ("dog", "things"), ("kite", "things")]
    ):
        edit_coco(path, "categories", i, name=name, supercategory=group)
    index = CocoIndex(path)
    assert list(index.categories.values()) == ["person", "dog", "kite", "wine glass"]
    assert index.counts == {"categories that only group others": 1}
    edit_coco(path, "annotations", 0, category_id=2)  # now it is a class with an object
    assert "things" in CocoIndex(path).categories.values()


def test_ids_that_share_a_name_are_one_class(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(0, 1, BOX), annotation(0, 5, BOX)])
    edit_coco(path, "categories", 4, name=" PERSON")
    index = CocoIndex(path)
    assert [index.category(a) for a in index.annotations(0)] == ["1", "1"]
    assert "5" not in index.categories
    assert index.counts == {"categories with the name of another": 1}


def test_a_file_without_classes_is_read_where_none_are_needed(tmp_path: Path) -> None:
    path = write_coco(tmp_path, [annotation(1, 1, BOX)])
    path.write_text(path.read_text().replace('"categories"', '"others"'))
    assert len(CocoIndex(path, classes=False).annotations(1)) == 1
    with pytest.raises(ValueError, match="has no categories: not COCO annotations"):
        CocoIndex(path)
