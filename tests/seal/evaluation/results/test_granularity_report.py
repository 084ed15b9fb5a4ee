"""What a page says of levels: pictures of the whole image and of crops, and a table of both."""

from __future__ import annotations

from xml.etree import ElementTree

from granularity_lines import asked, line

from seal.evaluation.judged import own_and_overall
from seal.evaluation.results.chosen_levels import chosen_levels
from seal.evaluation.results.granularity_report import add_granularity, level_picture, levels_table
from seal.pages.page import Page


def told(crops=True):
    """One crop in the first two questions, which are small."""
    levels = [(36, 576), (36, 144), (144,), (36,)]
    lines = [
        line(
            asked(i, side=8 if i < 2 else 30), "guided@auto", right=True,
            levels=of if crops else of[:1],
        )
        for i, of in enumerate(levels)
    ]  # fmt: skip
    return chosen_levels({"guided@auto": lines}, own_and_overall)


def bars(svg):
    tree = ElementTree.fromstring(svg)
    titles = [e.text for e in tree.iter() if e.tag.endswith("title")]
    return dict(title.split(": ") for title in titles)


def test_bars_of_the_whole_image_and_of_crops_count_their_own_pictures():
    (of,) = told().values()
    assert bars(level_picture(of, "whole")) == {
        "all, 36": "3 of 4", "all, 144": "1 of 4", "8 px, 36": "2 of 2",
        "30 px, 36": "1 of 2", "30 px, 144": "1 of 2",
    }  # fmt: skip
    crops = {f"{kind}, {level}": "1 of 2" for kind in ("all", "8 px") for level in (144, 576)}
    assert bars(level_picture(of, "crops")) == crops  # no bar of what had no crops


def test_the_table_has_columns_of_crops_where_there_are_any():
    (of,) = told().values()
    table = levels_table("guided@auto", of)
    assert table.head[2:8] == (
        "36, percent", "144, percent", "576, percent",
        "crops at 36", "crops at 144", "crops at 576",
    )  # fmt: skip
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["all"][:7] == ("4", "75.0", "25.0", "0.0", "0.0", "50.0", "50.0")
    assert rows["object size: 30 px"][4:7] == ("", "", "")
    (without,) = told(crops=False).values()
    assert len(levels_table("guided@auto", without).head) == 5  # of two levels


def test_a_page_has_a_picture_for_each_and_names_a_trend():
    page = Page("p")
    add_granularity(page, {"levels": told()})
    text = page.to_html()
    assert text.count('class="stacked"') == 2
    assert "guided@auto: the whole image" in text and "guided@auto: crops" in text
    assert "rank correlation" in text
    empty = Page("p")
    add_granularity(empty, {"systems": {}})
    assert empty.to_html() == Page("p").to_html()
