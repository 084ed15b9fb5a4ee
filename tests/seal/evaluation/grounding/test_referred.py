"""Expressions come from records built here or from rows of the hub's form."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from record_sets import HEIGHT, WIDTH, search_record, text_record, write_set

from seal.data.masks import mask_to_rle
from seal.data.record_set import Expression
from seal.evaluation.grounding.referred import open_grounding, read_referred_rows
from seal.evaluation.sources.rows import ListedRows
from seal.geometry import Box

BOX = Box(6, 4, 18, 12)


def mask():
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    found[4:12, 6:18] = 1
    return mask_to_rle(found)


def test_every_expression_with_a_box_or_a_mask_is_an_item(tmp_path):
    empty = mask_to_rle(np.zeros((HEIGHT, WIDTH), np.uint8))
    write_set(
        tmp_path,
        [
            search_record(
                "one", Expression("cup", (BOX,), mask()), Expression("the left cup", (BOX,))
            ),
            text_record(),
            search_record(
                "two", Expression("a boat", ()), Expression("a mug", None),
                Expression("a sign", None, mask()), Expression("a dog", (), empty),
            ),
        ],
    )  # fmt: skip
    found = open_grounding(str(tmp_path))
    assert [(item.id, item.text) for item in found.items] == [
        ("one/0", "cup"), ("one/1", "the left cup"), ("two/2", "a sign"),
    ]  # fmt: skip
    assert found.items[0].mask is not None and found.items[1].mask is None
    assert found.items[2].boxes == () and found.items[0].size == (WIDTH, HEIGHT)
    assert sum(found.left_out.values()) == 3  # absent, not annotated, an empty mask
    assert found.images.open("one.png").size == (WIDTH, HEIGHT)
    assert len(open_grounding(str(tmp_path), limit=1).items) == 2


def picture(color="red"):
    file = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), color).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def rows(*changes):
    plain = {
        "question_id": "1", "image": picture(), "question": "Provide a caption.",
        "answer": ["the left cup", "a cup"], "segmentation": [6.0, 4, 18, 4, 18, 12],
        "bbox": [6.0, 4.0, 12.0, 8.0], "iscrowd": 0,
        "file_name": "COCO_train2014_000000000007_1.jpg",
    }  # fmt: skip
    listed = [{**plain, "question_id": str(i), **change} for i, change in enumerate(changes)]
    return ListedRows("rows", listed, [f": row {i + 1}" for i in range(len(listed))])


def test_a_row_of_the_hub_is_an_object_with_all_that_is_said_of_it():
    found = read_referred_rows(rows({}))
    assert [(item.id, item.text) for item in found.items] == [
        ("0/0", "the left cup"), ("0/1", "a cup"),
    ]  # fmt: skip
    assert {item.boxes for item in found.items} == {(BOX,)}
    assert {item.mask for item in found.items} == {None}
    assert found.images.open("0").size == (WIDTH, HEIGHT)


def test_rows_of_one_photograph_share_a_picture():
    other = {"file_name": "COCO_train2014_000000000008_2.jpg", "image": picture("blue")}
    same = {"file_name": "COCO_train2014_000000000007_9.jpg"}
    found = read_referred_rows(
        rows({}, other, same, {"file_name": "x_1.jpg"}, {"file_name": "x_2.jpg"})
    )
    images = [item.image for item in found.items]
    assert images == ["0", "0", "1", "1", "0", "0", "3", "3", "4", "4"]  # x is no photo of COCO
    assert found.images.digest("0") != found.images.digest("1")
    assert len(read_referred_rows(rows({}, other, same), limit=1).items) == 2


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"bbox": [1, 2, 0, 4]}, "rows: row 2: bbox"),
        ({"bbox": [1, 2, 3, float("nan")]}, "rows: row 2: bbox"),
        ({"answer": []}, "rows: row 2: answer"),
        ({"answer": ["a", " "]}, "rows: row 2: answer"),
        ({"question_id": "0"}, "rows: row 2: question_id.*no other row has"),
    ],
)
def test_a_row_that_is_not_as_it_should_be_is_named(changed, says):
    with pytest.raises(ValueError, match=says) as error:
        read_referred_rows(rows({}, changed))
    assert "\n" not in str(error.value)


def test_other_places_are_refused(tmp_path):
    with pytest.raises(ValueError, match="nothing is not there: give a folder built by"):
        open_grounding(str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match="lacks the column bbox"):
        read_referred_rows(ListedRows("r", [{"question_id": 1, "image": 1, "answer": 1}], [""]))
    write_set(tmp_path / "set", [search_record("one")])
    (tmp_path / "set" / "images" / "one.png").unlink()
    with pytest.raises(ValueError, match=r"1 of 1 expressions have no image, for example one.png"):
        open_grounding(str(tmp_path / "set"))
    write_set(tmp_path / "none", [search_record("one", Expression("a boat", ()))])
    with pytest.raises(ValueError, match="has no expression with a box or a mask"):
        open_grounding(str(tmp_path / "none"))
