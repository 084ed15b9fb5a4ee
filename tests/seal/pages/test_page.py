"""The page needs no other file, and escapes what it is given."""

from __future__ import annotations

import re

from PIL import Image

from seal.pages.curves import loss_curves
from seal.pages.page import Page
from seal.pages.table import Table


def page(tmp_path):
    made = Page("A <title>", "Intro & more")
    made.heading("Numbers")
    made.table(Table("a caption", ("system", "value"), (("none", ""), ("a<b", "1"))))
    made.picture(Image.new("RGB", (2000, 100)), "wide")
    runs = {"vsm": [{"step": i, "loss": 1 / i, "ce": 0.5 / i} for i in range(1, 5)]}
    made.plot(loss_curves(runs), "losses")
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


def test_intervals_of_a_table_with_many_columns_stand_below_their_numbers():
    def html(columns):
        page = Page("t")
        page.table(Table("", ("system", *"n" * columns), (("a b", *["1 [2, 3] (4)"] * columns),)))
        return page.to_html()

    assert "<td>a b</td>" in html(12)
    assert "1 [2,\N{NO-BREAK SPACE}3]\N{NO-BREAK SPACE}(4)" in html(12)
    assert "1 [2, 3] (4)" in html(3)
