from __future__ import annotations

import numpy as np
import pytest
from colored_print import CellReader, blank, put

from seal.inference.guides.read_lines import Line, merge_lines, read_page


def page(image, tile: int = 200, overlap: float = 0.25) -> dict[str, tuple[int, ...]]:
    lines = read_page(CellReader(), image, tile=tile, overlap=overlap, most_tiles=64)
    assert len({line.text for line in lines}) == len(lines), "a line was told twice"
    return {line.text: line.box.as_ints() for line in lines}


@pytest.mark.parametrize("size", [(900, 620), (620, 905), (201, 777)])
def test_small_print_is_read_at_full_size_wherever_it_stands(size):
    image = blank(*size)
    rng = np.random.default_rng(0)
    drawn = {}
    for number, top in enumerate(range(3, size[1] - 20, 40)):
        text = f"word{number:02d}"
        drawn[text] = put(image, text, int(rng.integers(0, size[0] - 48)), top)
    assert page(image) == drawn


def test_large_print_that_no_tile_holds_is_read_from_the_whole():
    image = blank(1200, 800)
    box = put(image, "STATION", 100, 200, size=240)
    found = page(image)
    (text,) = found
    assert text == "STATION"
    np.testing.assert_allclose(found[text], box, atol=15)  # of 6 pixels a pixel


def test_a_small_line_over_several_tiles_is_joined():
    image = blank(4000, 300)
    text = "the quick brown fox jumps over a lazy dog and runs on".replace(" ", "_")
    box = put(image, text, 150, 120, size=14)
    assert page(image, tile=160) == {text: box}


def test_a_picture_that_is_one_tile_is_read_as_it_is():
    image = blank(200, 120)
    box = put(image, "alone", 30, 40)
    reader = CellReader()
    (line,) = read_page(reader, image, tile=200, overlap=0.25, most_tiles=64)
    assert (line.text, line.box.as_ints()) == ("alone", box)
    assert reader.sizes == [(200, 120)]


def line(text: str, x: float, y: float, width: float, height: float, score: float = 0.9) -> Line:
    corners = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
    return Line(text, np.array(corners, np.float32), score)


def test_of_two_readings_of_a_place_the_surer_one_stays():
    told = merge_lines([line("he1lo", 10, 10, 50, 12, 0.6), line("hello", 11, 9, 50, 12, 0.8)])
    assert [each.text for each in told] == ["hello"]


def test_small_print_on_large_letters_is_another_line():
    told = merge_lines([line("BIG", 0, 0, 300, 100), line("small", 100, 40, 60, 12)])
    assert [each.text for each in told] == ["BIG", "small"]


def test_the_part_of_a_turned_line_follows_its_slope():
    corners = np.array([[0, 0], [100, 50], [95, 60], [-5, 10]], np.float32)
    assert Line("ab", corners, 1.0).part(0.5, 1.0).as_ints() == (45, 25, 100, 60)
