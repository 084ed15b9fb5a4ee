"""The page needs no other file, escapes what it is given, and says it in words where it shows."""

from __future__ import annotations

import re

import pytest
from PIL import Image

from seal.pages.curves import loss_curves
from seal.pages.page import Page
from seal.pages.table import Table

STEPS = [{"step": i, "loss": 1 / i, "loss/ce": 0.5 / i, "loss/l1": 0.5 / i} for i in range(1, 500)]


def page(tmp_path):
    made = Page("A <title>", "Intro & more")
    made.heading("Numbers")
    made.table(Table("a caption", ("system", "value"), (("none", ""), ("a<b", "1"))))
    made.picture(Image.new("RGB", (2000, 100)), 'a "wide" one')
    made.figure(loss_curves(STEPS), "losses")
    path = tmp_path / "deep" / "report.html"
    made.write(path)
    return path.read_text(encoding="utf-8")


def test_nothing_is_loaded_from_elsewhere(tmp_path):
    text = page(tmp_path)
    assert not re.search(r'(src|href)="(?!data:|#)', text) and "url(" not in text
    assert text.count("data:image/") == 1 and text.count("<svg") == 1


def test_text_is_escaped(tmp_path):
    text = page(tmp_path)
    assert "a&lt;b" in text
    assert "<title>A &lt;title&gt;</title>" in text


def test_every_picture_says_what_it_shows(tmp_path):
    text = page(tmp_path)
    assert 'alt="a &quot;wide&quot; one"' in text
    assert 'aria-label="loss by step: loss, ce, l1"' in text


def test_intervals_of_a_table_with_many_columns_stand_below_their_numbers():
    def html(columns):
        page = Page("t")
        page.table(Table("", ("system", *"n" * columns), (("a b", *["1 [2, 3] (4)"] * columns),)))
        return page.to_html()

    assert '<th scope="row">a b</th>' in html(12)
    assert "1 [2,\N{NO-BREAK SPACE}3]\N{NO-BREAK SPACE}(4)" in html(12)
    assert "1 [2, 3] (4)" in html(3)


@pytest.mark.parametrize("count", [3, 4])
def test_a_long_page_begins_with_links_to_its_parts(count):
    made = Page("t")
    for number in range(count):
        made.heading(f"part & {number}")
    text = made.to_html()
    links = re.findall(r'<a href="#(\w+)">part &amp; \d</a>', text)
    assert len(links) == (count if count > 3 else 0)
    assert all(f'<h2 id="{link}">' in text for link in links)


def test_a_page_is_only_so_large_and_says_what_it_left_out():
    made = Page("t", max_bytes=40_000)
    noise = Image.effect_noise((120, 120), 80)
    for number in range(6):
        made.picture(noise, f"picture {number}")
    text = made.to_html()
    assert len(text) < 60_000
    shown = text.count("data:image/")
    assert 0 < shown < 6 and f"{6 - shown} pictures are left out" in text
    assert text.count("picture 5</figcaption>") == 1


def test_a_growing_page_is_read_again_and_a_finished_one_is_not():
    assert '<meta http-equiv="refresh" content="10">' in Page("t", refresh=10).to_html()
    assert "refresh" not in Page("t").to_html()


def test_what_is_folded_is_there_and_closed():
    made = Page("t")
    with made.folded("more <of it>"):
        made.text("inside")
    assert "<details><summary>more &lt;of it&gt;</summary>\n<p>inside</p>\n</details>" in (
        made.to_html()
    )


def test_both_papers_have_every_color():
    text = Page("t").to_html()
    light, dark = re.findall(r":root\{([^}]*)\}", text)
    names = [set(re.findall(r"--\w+(?=:)", part)) for part in (light, dark)]
    assert names[0] == names[1] and len(names[0]) > 12
    assert set(re.findall(r"var\((--\w+)", text)) <= names[0]
