"""A picture of one number of many systems: every mark in its row, at its place, told apart."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from seal.pages.forest import PUBLISHED, Mark, forest

MARKS = [
    Mark("Human", PUBLISHED, 98.9),
    Mark("SEAL", PUBLISHED, 75.4),
    Mark("SEAL", "measured", 74.0, 67.0, 80.0),
    Mark("SEAL", "13b", 78.0, 71.0, 84.0),
    Mark("a <b> & c", "13b", 40.0),
]


def all_of(kind, **where):
    svg = ElementTree.fromstring(forest(MARKS, x_label="overall"))
    return [
        e for e in svg.iter()
        if e.tag.endswith(kind) and all(e.get(key) == value for key, value in where.items())
    ]  # fmt: skip


def places():
    return [(float(e.get("cx")), float(e.get("cy"))) for e in all_of("circle", **{"class": "mark"})]


def test_every_row_is_named_once_in_order():
    assert [e.text for e in all_of("text", **{"class": "row"})] == ["Human", "SEAL", "a <b> & c"]


def test_marks_stand_by_value_and_by_row_and_beside_one_another():
    (human, printed, own, big, last) = places()
    assert human[0] > big[0] > printed[0] > own[0] > last[0]
    assert human[1] < min(printed[1], own[1], big[1])
    assert max(printed[1], own[1], big[1]) < last[1]
    assert own[1] != big[1]
    # 98.9 to 75.4 is as far for its numbers as 75.4 to 74.0.
    assert (human[0] - printed[0]) / 23.5 == pytest.approx((printed[0] - own[0]) / 1.4, rel=0.2)


def test_printed_marks_are_hollow_and_groups_have_colors_of_their_own():
    marks = all_of("circle", **{"class": "mark"})
    assert [e.get("fill") == "none" for e in marks] == [True, True, False, False, False]
    assert marks[2].get("fill") != marks[3].get("fill") == marks[4].get("fill")


def test_what_the_pointer_tells_has_the_interval():
    titles = [e.text for e in all_of("title")]
    assert "SEAL, measured: 74 [67, 80]" in titles and "Human, published: 98.9" in titles


@pytest.mark.parametrize("marks", [[], [Mark("a", PUBLISHED, math.nan)]])
def test_what_has_no_place_is_refused(marks):
    with pytest.raises(ValueError, match="finite"):
        forest(marks, x_label="x")
