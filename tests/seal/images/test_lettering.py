"""Text on pictures: no boxes in place of letters, whatever the script and the fonts at hand."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from PIL import Image, ImageDraw

from seal.images import fonts, lettering
from seal.images.fonts import PILLOW, Face, dejavu
from seal.images.lettering import Run, runs, shorten, text_width, wrap, write


@pytest.fixture
def bare(monkeypatch):
    """A machine that has no font but those that come with the packages."""

    def face_of(letter, language=""):
        known = dejavu() if fonts.has(dejavu(), letter) else None
        return PILLOW if letter.isascii() else known

    monkeypatch.setattr(lettering, "face_of", face_of)
    monkeypatch.setattr(lettering, "_told", set)
    runs.cache_clear()
    yield
    runs.cache_clear()


def drawn(text: str, **options) -> np.ndarray:
    """(H, W) ink of a text in the middle of a sheet, or where `options` say."""
    sheet = Image.new("L", (400, 60), 255)
    write(ImageDraw.Draw(sheet.convert("RGB")), (0, 0), text, (0, 0, 0), 20)
    colored = Image.new("RGB", (400, 60), (255, 255, 255))
    write(ImageDraw.Draw(colored), (200, 30), text, (0, 0, 0), 20, anchor="mm", **options)
    return np.asarray(colored.convert("L")) < 128


@pytest.mark.parametrize("text", ["é", "café", "Ελληνικά", "Русский", "العربية", "עברית", "→ ½ ±"])
def test_scripts_of_europe_and_the_near_east_need_no_font_of_the_machine(bare, text):
    assert {run.face for run in runs(text)} == {dejavu()}
    assert "".join(run.text for run in runs(text)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("한국", "hangug"),  # by the names of its syllables
        ("中文字", "[3 ideographs]"),
        ("ไทย", "aithy"),
        ("a 🚗", "a (automobile)"),
        ("🇩🇪", "DE"),
        ("か", "ka"),
    ],
)
def test_letters_that_no_font_has_are_spelt_with_others(bare, text, said):
    assert "".join(run.text for run in runs(text)).startswith(said[:3])
    assert all(run.text.isascii() for run in runs(text))


def test_where_fonts_are_to_be_had_is_told_once_a_script(bare, monkeypatch, caplog):
    told: set[str] = set()
    monkeypatch.setattr(lettering, "_told", lambda: told)
    with caplog.at_level(logging.WARNING):
        for text in ("中文", "中文 again", "文"):
            runs(text)
    (record,) = caplog.records
    assert "no font of this machine has CJK letters" in record.message
    assert "fonts-noto-cjk" in record.message


def test_a_line_is_in_one_font_where_one_has_all_of_it():
    assert runs("the mug") == (Run("the mug", PILLOW),)
    assert len(runs("the mug by the café")) == 1


def test_a_line_with_several_scripts_keeps_all_its_letters_and_its_order():
    text = "mug 中文 café"
    assert "".join(run.text for run in runs(text)).startswith("mug ")
    assert len(runs(text)) > 1
    assert text_width(text, 20) > text_width("mug ", 20)


def test_text_stands_around_its_middle():
    for text in ("mug", "café", "العربية"):
        _, columns = np.nonzero(drawn(text))
        assert abs((columns.min() + columns.max()) / 2 - 200) < 6, text


def test_a_line_of_any_length_is_cut_to_its_width():
    for text in ("w" * 5000, "é" * 5000, "", "é"):
        assert text_width(shorten(text, 13, 100), 13) <= 100
    assert shorten("a mug", 13, 1000) == "a mug"


def test_words_are_broken_into_so_many_lines():
    lines = wrap("one two three four five six seven eight", 20, 90, 3)
    assert len(lines) == 3 and lines[-1].endswith("...")
    assert all(text_width(line, 20) <= 90 for line in lines)


@pytest.mark.parametrize("text", ["\ud83d", "\x00\x07", "\u200d\ufe0f", "a\nb", "\u0301"])
def test_what_is_no_text_is_drawn_without_a_fault(text):
    drawn(text)


def test_a_file_that_is_no_font_has_no_letters(tmp_path):
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    assert not fonts.has(Face(str(broken)), "中")


def test_without_fontconfig_the_fonts_are_looked_through(monkeypatch):
    monkeypatch.setattr(fonts.shutil, "which", lambda name: None)
    monkeypatch.setattr(fonts, "_of_system", lambda: (dejavu(),))
    fonts._face_of.cache_clear()
    assert fonts.face_of("é") == dejavu()
    assert fonts.face_of("\U0001f697") is None
    fonts._face_of.cache_clear()
