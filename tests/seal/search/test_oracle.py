"""The oracle knows where things are, and shows them only when they are large enough."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seal.geometry import Box
from seal.search.locator import LocateRequest
from seal.search.oracle import OracleLocator, OracleModel, always
from seal.search.protocol import Patch, Query

IMAGE = Image.new("1", (400, 300))


def detect(model, box, target="mug"):
    return model.detect([Query("detect", Patch(IMAGE, box), target)])[0]


def test_a_target_is_seen_once_it_covers_enough_of_the_patch():
    model = OracleModel(always(Box(200, 150, 220, 170)), min_share=0.01)
    assert detect(model, Box(0, 0, 400, 300)).scores == pytest.approx([0.1])
    seen = detect(model, Box(200, 150, 400, 300))
    assert seen.scores == pytest.approx([0.9])
    assert seen.boxes.tolist() == [[0, 0, 20, 20]]


def test_a_patch_without_the_target_shows_nothing():
    empty = detect(OracleModel(always(Box(200, 150, 220, 170))), Box(0, 0, 200, 150))
    assert len(empty.boxes) == len(empty.scores) == 0
    assert empty.heat.peak() == 0


def test_its_heat_is_the_target():
    heat = detect(OracleModel(always(Box(200, 150, 220, 170))), Box(0, 0, 400, 300)).heat
    assert heat.peak() == 10
    assert heat.shares([Box(0, 0, 200, 150), Box(190, 140, 230, 180)]) == pytest.approx([0, 1])
    assert np.asarray(heat.to_numpy()).shape == (300, 400)


def test_boxes_may_depend_on_image_and_target():
    known = {"mug": [Box(0, 0, 9, 9)], "cat": []}
    locator = OracleLocator(lambda image, target: known[target])
    mug, cat = locator.locate([LocateRequest(IMAGE, "mug"), LocateRequest(IMAGE, "cat")])
    assert (mug.found, mug.boxes, mug.scores) == (True, known["mug"], [1.0])
    assert (cat.found, cat.boxes, cat.best_box) == (False, [], None)
