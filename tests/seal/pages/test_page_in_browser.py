"""A page that holds everything fits a phone and a desk, and is dark where the screen is."""

from __future__ import annotations

import pytest
from browser import DESKTOP, PHONE, browser, requests_elsewhere, width_overflow
from PIL import Image

from seal.pages.bars import Bar, bars
from seal.pages.forest import Mark, forest
from seal.pages.lines import Line, lines
from seal.pages.page import Page, picture
from seal.pages.scatter import Point, scatter
from seal.pages.stacked import Bar as Part
from seal.pages.stacked import stacked
from seal.pages.table import Table

NAMES = tuple(f"a system with a rather long name {i}" for i in range(4))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    made = Page("A page of everything", "/a/path/without/any/blank" * 12)
    for number in range(5):
        made.heading(f"Part {number}: {'long ' * 8}")
    cells = tuple("12.3 [4.5, 67.8]" for _ in range(14))
    made.table(Table("a wide table " * 9, ("system", *cells), ((NAMES[0], *cells),) * 3))
    made.facts({"a name": "x" * 300, "y" * 80: 3})
    made.commands("Type:", ["seal " + "eval/benchmark=" * 30])
    made.picture(Image.new("RGB", (3000, 800), "navy"), "a wide picture")
    image = picture(Image.new("RGB", (360, 360), "green"))
    drawings = [
        bars([Bar(name, 10.0, 5, 12) for name in NAMES], x_label="x"),
        lines([Line(name, ((0, 1), (1, 2))) for name in NAMES], x_label="", y_label=""),
        scatter([Point(name, i + 1, i) for i, name in enumerate(NAMES)], x_label="x", y_label="y"),
        forest([Mark(name, "published", 3.0) for name in NAMES], x_label="x"),
        stacked({"": [Part(name, (1, 2)) for name in NAMES]}, ["one", "two"]),
    ]  # fmt: skip
    made.sheet([(image, "a caption " * 20)] * 5)
    made.sheet([(drawing, "drawn") for drawing in drawings], wide=True)
    for drawing in drawings:
        made.figure(drawing)
    made.markup(
        f'<div class="cards"><div class="card">{image}</div><div class="card">b</div></div>'
    )
    return made.write(tmp_path_factory.mktemp("pages") / "all.html")


def test_it_fits_every_screen_and_asks_for_nothing_else(page):
    with browser() as opened:
        for size in (PHONE, DESKTOP):
            for scheme in ("light", "dark"):
                context = opened.new_context(viewport=size, color_scheme=scheme)
                shown = context.new_page()
                asked = requests_elsewhere(shown)
                shown.goto(page.as_uri())
                assert width_overflow(shown) == 0
                paper, ink = shown.evaluate(
                    "[getComputedStyle(document.body).backgroundColor,"
                    " getComputedStyle(document.querySelector('svg text')).fill]"
                )
                light = [sum(map(int, c.strip("rgb()").split(","))) > 380 for c in (paper, ink)]
                assert light == ([True, False] if scheme == "light" else [False, True])
                assert asked == []
                context.close()
