from __future__ import annotations

from pathlib import Path

import numpy as np
from record_sets import HEIGHT, WIDTH, chat_record, search_record, text_record, write_set

from seal.building.records.report import draw_record, write_report
from seal.data.masks import mask_to_rle
from seal.data.record_set import Expression
from seal.geometry import Box
from seal.images import open_image


def test_the_page_shows_counts_samples_and_no_markup_of_the_data(tmp_path: Path) -> None:
    records = write_set(
        tmp_path,
        [
            chat_record("a", 2),
            text_record("b<script>"),
            search_record("c", Expression("cup & kite", (Box(1, 1, 9, 9),)), Expression("x", ())),
        ],
    )
    page = write_report(records, samples=10).read_text()
    assert page.count("<figure>") == 3 and page.count("data:image/jpeg") == 2
    assert "b&lt;script&gt;" in page and "<script>" not in page
    assert "cup &amp; kite (1 box)" in page and "x (absent)" in page
    assert '<th scope="row">expressions absent from their image</th><td>1</td>' in page
    assert '<th scope="row">targets</th><td>2</td>' in page
    assert write_report(records, samples=1).read_text().count("<figure>") == 1
    assert not list(tmp_path.glob("*.partial"))


def test_an_image_that_does_not_decode_is_said_so(tmp_path: Path) -> None:
    records = write_set(tmp_path, [chat_record("a", 2), text_record("b")])
    path = records.image_path(records[0])
    assert path is not None
    path.write_bytes(b"no image")
    page = write_report(records).read_text()
    assert str(path) in page and "data:image" not in page


def test_a_set_of_an_older_version_is_counted(tmp_path: Path) -> None:
    records = write_set(tmp_path, [chat_record("a", 2), text_record("b")])
    page = write_report(records).read_text()
    del records.description["contents"]
    assert (
        write_report(records).read_text() == page
        and '<th scope="row">targets</th><td>2</td>' in page
    )


def test_the_same_seed_shows_the_same_samples(tmp_path: Path) -> None:
    records = write_set(tmp_path, [text_record(f"r{i}") for i in range(40)])
    pages = [write_report(records, samples=3, seed=seed).read_text() for seed in (1, 1, 2)]
    assert pages[0] == pages[1] != pages[2]


def test_boxes_and_masks_are_drawn_where_they_are(tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:40, 30:60] = 1
    record = search_record("c", Expression("cup", (Box(5, 5, 20, 15),), mask_to_rle(mask)))
    write_set(tmp_path, [record])
    image = open_image(tmp_path / "images" / "c.png")
    plain = np.asarray(draw_record(search_record("c", Expression("cup", ())), image), dtype=int)
    drawn = np.asarray(draw_record(record, image), dtype=int)
    scale = drawn.shape[1] / WIDTH
    changed = np.abs(drawn - plain).sum(-1) > 30
    rows = slice(int(22 * scale), int(38 * scale))
    assert changed[rows, int(32 * scale) : int(58 * scale)].mean() > 0.8
    assert changed[int(5 * scale), int(6 * scale) : int(19 * scale)].mean() > 0.8
    assert not changed[int(7 * scale) : int(13 * scale), int(7 * scale) : int(18 * scale)].any()
