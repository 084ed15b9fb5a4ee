"""Stacked bars: every part as long as its share, light to dark, and told."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest

from seal.pages.stacked import Bar, shade, stacked
from seal.pages.svg import LETTER

GROUPS = {
    "": [Bar("all", (6, 3, 1))],
    "size <px>": [Bar("small", (0, 1, 3)), Bar("large & near", (5, 1, 0)), Bar("none", (0, 0, 0))],
}


def elements(kind, **where):
    tree = ElementTree.fromstring(stacked(GROUPS, ["36", "144", "576"]))
    return [
        e for e in tree.iter()
        if e.tag.endswith(kind) and all(e.get(key) == value for key, value in where.items())
    ]  # fmt: skip


def test_parts_are_as_long_as_their_shares_and_follow_one_another():
    parts = elements("rect", **{"class": "part"})
    spans = [(float(p.get("x")), float(p.get("width")), float(p.get("y"))) for p in parts]
    rows = {y: [(x, width) for x, width, at in spans if at == y] for _, _, y in spans}
    assert [len(of) for of in rows.values()] == [3, 2, 2]  # nothing is drawn of an empty part
    shares = [[width / sum(w for _, w in of) for _, width in of] for of in rows.values()]
    assert shares[0] == pytest.approx([0.6, 0.3, 0.1], abs=1e-3)
    assert shares[1] == pytest.approx([0.25, 0.75], abs=1e-3)
    for of in rows.values():
        assert sum(w for _, w in of) == pytest.approx(360, abs=0.2)
        for (x, width), (after, _) in pairwise(of):
            assert x + width == pytest.approx(after, abs=0.11)


def test_every_bar_and_group_is_named_with_its_number():
    texts = [e.text for e in elements("text")]
    assert [e.text for e in elements("text", **{"class": "row"})] == [
        "all", "small", "large & near", "none",
    ]  # fmt: skip
    assert [e.text for e in elements("text", **{"class": "group"})] == ["size <px>"]
    assert texts[:3] == ["36", "144", "576"] and {"10", "4", "6", "0", "60%", "75%"} <= {*texts}
    assert "small, 576: 3 of 4" in [e.text for e in elements("title")]


def test_a_group_of_a_long_name_has_room_for_it():
    svg = stacked({"": [Bar("all", (1,))], "a group of a long name": [Bar("a", (1,))]}, ["1"])
    (group,) = (e for e in ElementTree.fromstring(svg).iter() if e.get("class") == "group")
    assert float(group.get("x")) >= len(group.text) * LETTER


def test_a_later_part_is_darker():
    brightness = [sum(bytes.fromhex(shade(place, 5)[1:])) for place in range(5)]
    assert brightness == sorted(brightness, reverse=True) and len({*brightness}) == 5


@pytest.mark.parametrize("groups", [{}, {"": []}, {"": [Bar("a", (1, 2))]}])
def test_bars_of_other_parts_are_refused(groups):
    with pytest.raises(ValueError, match="bars of 3 parts"):
        stacked(groups, ["1", "2", "3"])
