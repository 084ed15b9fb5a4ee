"""The page needs no other file, escapes what it is given, and leaves absent numbers out."""

from __future__ import annotations

import re

from PIL import Image

from seal.evaluation.page import Page, number, percent


def page(tmp_path):
    made = Page("A <title>", "Intro & more")
    made.heading("Numbers")
    made.table(["system", "value"], [["none", percent(None)], ["a<b", "1"]])
    made.picture(Image.new("RGB", (2000, 100)), "wide")
    made.curves({"vsm": [{"step": i, "loss": 1 / i, "ce": 0.5 / i} for i in range(1, 5)]})
    path = tmp_path / "deep" / "report.html"
    made.write(path)
    return path.read_text(encoding="utf-8")


def test_nothing_is_loaded_from_elsewhere(tmp_path):
    text = page(tmp_path)
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert text.count("data:image/") == 2


def test_text_is_escaped(tmp_path):
    text = page(tmp_path)
    assert "a&lt;b" in text
    assert "<title>A &lt;title&gt;</title>" in text


def test_numbers_carry_their_interval_and_absent_ones_leave_an_empty_cell():
    assert percent({"value": 0.748, "low": 0.7, "high": 0.79}) == "74.8 [70.0, 79.0]"
    assert number({"value": 6.2, "low": None, "high": None}) == "6.20"
    assert percent({"value": None}) == percent(None) == ""
