"""Each expression is put once, continues where it stopped, and knows its picture's size."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fakes import FakeSearchModel
from record_sets import HEIGHT, WIDTH, search_record, write_set

from seal.data.masks import mask_to_rle, rle_to_mask
from seal.data.record_set import Expression
from seal.evaluation.grounding.answers import GroundedExpressions
from seal.evaluation.grounding.metrics import grounding_metrics
from seal.evaluation.grounding.referred import open_grounding
from seal.geometry import Box
from seal.search.config import SearchConfig
from seal.search.driver import SearchLocator
from seal.search.guided import GuidedSearch
from seal.search.heatmap import NumpyHeat
from seal.search.protocol import Detections

CUP, BOAT = Box(6, 4, 18, 12), Box(30, 20, 50, 38)


def mask(box):
    found = np.zeros((HEIGHT, WIDTH), np.uint8)
    x0, y0, x1, y1 = box.as_ints()
    found[y0:y1, x0:x1] = 1
    return found


class Seeing:
    """Knows boxes by name; its heat is above 0 on the box and its scores grow with the number."""

    def __init__(self, boxes):
        self.boxes, self.asked, self.forgotten = boxes, [], 0

    def detect(self, queries):
        self.asked += [query.text for query in queries]
        return [self._detect(query) for query in queries]

    def _detect(self, query):
        assert query.patch.box == Box(0, 0, *query.patch.image.size)
        boxes = self.boxes.get(query.text, ())
        corners = np.array([[b.x0, b.y0, b.x1, b.y1] for b in boxes], np.float32).reshape(-1, 4)
        scores = np.linspace(0.1, 0.2, len(boxes), dtype=np.float32)
        heat = np.zeros((HEIGHT, WIDTH), np.float32)
        for box in boxes[-1:]:
            heat += mask(box)
        return Detections(corners, scores, NumpyHeat(heat))

    def forget(self, image):
        self.forgotten += 1


@pytest.fixture
def found(tmp_path):
    write_set(
        tmp_path / "set",
        [
            search_record(
                "one", Expression("cup", (CUP,), mask_to_rle(mask(CUP))),
                Expression("the cup", (CUP,), mask_to_rle(mask(CUP))),
            ),
            search_record("two", Expression("boat", (BOAT,), mask_to_rle(mask(BOAT)))),
        ],
    )  # fmt: skip
    return open_grounding(str(tmp_path / "set"))


def test_the_best_scored_box_and_the_mask_above_zero_are_the_answer(found, tmp_path):
    model = Seeing({"cup": [BOAT, CUP], "the cup": [], "boat": [BOAT]})
    lines = GroundedExpressions(found, tmp_path / "out", model, masks=True).predict()
    assert [line["id"] for line in lines] == ["one/0", "one/1", "two/0"]
    assert lines[0]["answer"]["box"] == [CUP.x0, CUP.y0, CUP.x1, CUP.y1]
    assert (rle_to_mask(lines[0]["answer"]["mask"]) == mask(CUP)).all()
    assert lines[1]["answer"]["box"] is None and lines[1]["answer"]["score"] == 0
    of = grounding_metrics(lines)["test"]
    assert of["box_accuracy"]["value"] == of["gIoU"]["value"] == pytest.approx(2 / 3)
    assert of["cIoU"]["value"] == pytest.approx((96 + 360) / (96 + 96 + 360))
    assert model.forgotten == 2


def test_the_same_command_continues_and_changes_nothing(found, tmp_path):
    boxes = {"cup": [CUP], "the cup": [CUP], "boat": [BOAT]}
    lines = GroundedExpressions(found, tmp_path, Seeing(boxes), masks=True).predict(batch=1)
    path = tmp_path / "predictions.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"\n") + 20])  # killed while it wrote the second line
    model = Seeing(boxes)
    again = GroundedExpressions(found, tmp_path, model, masks=True).predict()
    assert model.asked == ["the cup", "boat"]
    assert again == json.loads(json.dumps(lines)) and path.read_bytes() == whole


def test_a_picture_of_another_size_than_its_record_is_not_judged_by_it(found, tmp_path):
    from record_sets import draw_image

    draw_image(found.images.folder / "two.png", WIDTH * 2, HEIGHT)
    model = Seeing({"cup": [CUP], "the cup": [CUP], "boat": [BOAT]})
    lines = GroundedExpressions(found, tmp_path / "out", model, masks=True).predict()
    assert lines[2]["answer"] is None and "has 120 x 40 pixels" in lines[2]["error"]
    of = grounding_metrics(lines)["test"]["box_accuracy"]
    assert (of["value"], of["n"], of["invalid"]) == (pytest.approx(2 / 3), 3, 1)


def test_a_search_gives_its_best_box_and_no_mask(found, tmp_path):
    model = FakeSearchModel({"cup": [CUP], "the cup": [CUP], "boat": [BOAT]}, min_share=0.1)
    locator = SearchLocator(GuidedSearch(SearchConfig(min_size=8, min_size_scale=16)), model)
    lines = GroundedExpressions(found, tmp_path / "out", model, locator=locator).predict()
    assert [line["answer"]["steps"] for line in lines] == [2, 2, 1]  # 4% of the image, 15%
    of = grounding_metrics(lines)["test"]
    assert of["box_accuracy"]["value"] == 1 and "cIoU" not in of
