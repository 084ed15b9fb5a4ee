"""Boxes, their overlap and their text equal the original's."""

from __future__ import annotations

import pytest
from golden_files import each_golden

from seal.geometry import Box, format_box, normalize_box, normalized_box_text


@pytest.mark.goldens("splits")
def test_overlap_equals_the_original():
    for case in each_golden("splits", "iou"):
        ours = Box.from_xywh(*case["a"]).iou(Box.from_xywh(*case["b"]))
        # The original worked in float64 xywh; the corners differ in the last bit.
        assert ours == pytest.approx(case["iou"], abs=1e-12)


@pytest.mark.goldens("splits")
def test_box_text_equals_the_original():
    for case in each_golden("splits", "normalize_bbox"):
        fractions = normalize_box(Box.from_xywh(*case["bbox"]), *case["wh"])
        assert fractions == pytest.approx(case["out"], abs=1e-12)
        assert format_box(fractions) == case["formatted"]


def test_box_text_is_its_place_in_the_padded_square():
    box = Box(0, 0, 100, 50)
    assert normalized_box_text(box, 100, 50) == "[0.000,0.250,1.000,0.750]"
    assert normalized_box_text(box, 100, 50, "top_left") == "[0.000,0.000,1.000,0.500]"


def test_empty_boxes_share_nothing():
    assert Box(1, 1, 1, 1).iou(Box(1, 1, 1, 1)) == 0


def test_corners_out_of_order_are_refused():
    with pytest.raises(ValueError, match="out of order"):
        Box(2, 0, 1, 1)
