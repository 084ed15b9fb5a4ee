"""Bars are as long as their numbers, and show intervals."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from seal.pages.bars import Bar, bars

ROWS = [Bar("none", 33, 27, 40), Bar("a <b>", 84.5, 79, 89, 1), Bar("nothing", 0)]


def elements(kind, **where):
    tree = ElementTree.fromstring(bars(ROWS, x_label="right, percent", most=100))
    return [
        e for e in tree.iter()
        if e.tag.endswith(kind) and all(e.get(key) == value for key, value in where.items())
    ]  # fmt: skip


def test_bars_begin_at_zero_and_are_as_long_as_their_numbers():
    drawn = elements("rect", **{"class": "bar"})
    widths = [float(e.get("width")) for e in drawn]
    assert len({e.get("x") for e in drawn}) == 1
    assert widths[1] / widths[0] == pytest.approx(84.5 / 33, rel=0.01) and widths[2] == 0


def test_names_numbers_and_intervals_are_told():
    texts = [e.text for e in elements("text")]
    assert {"none", "a <b>", "nothing", "33", "84.5", "0", "right, percent"} <= {*texts}
    assert "a <b>: 84.5 [79, 89]" in [e.text for e in elements("title")]


@pytest.mark.parametrize("rows", [[], [Bar("a", -1.0)], [Bar("a", math.nan)]])
def test_what_has_no_bar_is_refused(rows):
    with pytest.raises(ValueError, match="from 0 up"):
        bars(rows, x_label="x")
