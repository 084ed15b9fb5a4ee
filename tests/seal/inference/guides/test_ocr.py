from __future__ import annotations

import sys

import numpy as np
import pytest
from colored_print import CellReader, blank, put

from seal.geometry import Box
from seal.inference.guides.config import KINDS, GuideConfig
from seal.inference.guides.ocr import TextReader, TextReaderConfig, load_text_reader
from seal.inference.named_guides import load_guide
from seal.search.config import SearchConfig
from seal.search.draw import draw_path
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch
from seal.search.protocol import Patch, Query, answered_kinds
from seal.search.trace import from_dict, to_dict

SIZES = [(640, 420), (413, 651), (500, 500)]


def guide(**settings) -> TextReader:
    return TextReader(CellReader(), TextReaderConfig(**settings))


def query(image, text: str, box: Box | None = None) -> Query:
    return Query("detect", Patch(image, box or Box(0, 0, *image.size)), text)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("patch", [None, Box(60.4, 31.7, 380.2, 300.9)])
def test_the_word_comes_back_where_it_was_drawn(size, patch):
    image = blank(*size)
    put(image, "entrance", 10, 12)
    box = put(image, "exit", 170, 140, size=20)
    (found,) = guide(tile_size=200).detect([query(image, "the word 'Exit' on the door", patch)])
    left, top = (0, 0) if patch is None else (60, 31)
    expected = np.array(box) - [left, top, left, top]
    np.testing.assert_allclose(found.boxes[0], expected, atol=1)
    assert found.scores[0] == 1 and (found.scores[1:] < 0.7).all()


def test_one_word_of_a_line_is_boxed_by_its_share_of_the_line():
    image = blank(600, 100)
    put(image, "gate 12 now open", 20, 30, size=24)
    (found,) = guide().detect([query(image, "12")])
    np.testing.assert_allclose(found.boxes, [[20 + 5 * 12, 30, 20 + 7 * 12, 54]], atol=1)


def test_a_text_over_two_lines_is_boxed_as_one():
    image = blank(400, 300)
    put(image, "open all", 50, 60, size=24)
    put(image, "summer", 60, 90, size=24)
    put(image, "elsewhere", 30, 250, size=24)
    (found,) = guide().detect([query(image, "'open all summer'")])
    np.testing.assert_allclose(found.boxes[0], [50, 60, 50 + 8 * 12, 114], atol=1)
    assert found.scores[0] == 1


def test_a_word_that_the_patch_shows_less_than_half_of_is_not_told():
    image = blank(400, 200)
    put(image, "harbor", 100, 50, size=20)  # 60 pixels wide
    read = guide()
    most, least = (
        read.detect([query(image, "harbor", Box(0, 0, edge, 200))])[0] for edge in (140, 120)
    )
    np.testing.assert_allclose(most.boxes, [[100, 50, 140, 70]], atol=1)
    assert len(least.boxes) == 0


@pytest.mark.parametrize("target", ["the text on the sign", "...", "zebra crossing"])
def test_what_names_no_text_or_is_not_printed_is_not_detected(target):
    image = blank(300, 200)
    put(image, "bakery", 50, 60)
    (found,) = guide().detect([query(image, target)])
    assert found.boxes.shape == (0, 4) and found.scores.shape == (0,)


def test_heat_lies_on_the_print_that_matches():
    image = blank(480, 240)
    box = put(image, "library", 300, 150, size=24)
    put(image, "libretto", 40, 40, size=24)
    read = guide()
    (found,) = read.detect([query(image, "library")])
    (heat,) = read.target_heat([query(image, "library")])
    np.testing.assert_array_equal(heat.to_numpy(), found.heat.to_numpy())
    on, similar, elsewhere = heat.shares(
        [Box(*box), Box(40, 40, 136, 64), Box(0, 100, 200, 240)]
    )  # fmt: skip
    assert heat.peak() == 1 and on > similar > 0 and elsewhere == 0
    (cold,) = read.cue_heatmap([query(image, "zzz")])
    assert cold.peak() == 0 and cold.shares([Box(0, 0, 480, 240)]) == [0]


def test_an_image_is_read_once_for_all_patches_and_targets():
    image, other = blank(300, 200), blank(300, 200)
    put(image, "cinema", 50, 60)
    read = guide()
    for text in ("cinema", "the word hall"):
        for box in (None, Box(0, 0, 150, 100)):
            read.detect([query(image, text, box), query(other, text, box)])
            read.target_heat([query(image, text, box)])
    assert read.reader.sizes == [(300, 200)] * 2
    assert read.cost.crops_encoded == 2
    assert read.cost.queries == {"detect": 8, "target_heat": 4}
    read.forget(image)
    read.detect([query(image, "cinema"), query(other, "cinema")])
    assert len(read.reader.sizes) == 3


def test_lines_of_the_images_used_last_are_kept():
    images = [blank(100, 100) for _ in range(3)]
    read = guide(max_images=2)
    for image in [*images, images[2], images[0]]:
        read.lines(image)
    assert len(read.reader.sizes) == 4


def test_it_guides_a_whole_search_and_the_trace_tells_what_it_read(tmp_path):
    image = blank(900, 600)
    put(image, "motel", 80, 70, size=20)
    put(image, "hostal", 700, 480, size=20)
    search = GuidedSearch(
        SearchConfig(min_size=120, confidence_high=0.95, confidence_low=0.7,
                     cue_threshold=0.5, cue_threshold_min=0.5, use_contextual_cue=False)
    )  # fmt: skip
    read = guide(tile_size=300)
    assert search.needs <= answered_kinds(read)
    (result,) = run_searches([search.explore(image, "the word 'hostel'")], read)
    assert result.found and result.boxes[0].iou(Box(700, 480, 760, 500)) > 0.9
    assert result.path[1].box.x0 >= 450 and result.path[1].box.y0 >= 300  # where it is hottest
    trace = to_dict(result, heat_cells=8)
    assert trace["path"][0]["said"] == "reads: motel | hostal"
    assert trace["path"][1]["said"] == "reads: hostal"
    assert [node.said for node in from_dict(trace).path] == [node.said for node in result.path]
    draw_path(image, result).save(tmp_path / "path.png")
    assert (tmp_path / "path.png").stat().st_size > 1000


def test_the_trace_says_that_nothing_was_to_be_read():
    image = blank(100, 100)
    (nothing,) = guide().detect([query(image, "the text on the sign")])
    (none,) = guide().detect([query(image, "exit")])
    assert nothing.said == "the target names no text to look for"
    assert none.said == "no print is read here"


def test_without_the_package_the_way_to_install_it_is_told(monkeypatch):
    assert TextReader.kinds == KINDS["ocr"]
    monkeypatch.setitem(sys.modules, "rapidocr_onnxruntime", None)
    with pytest.raises(ValueError, match=r"not installed: pip install 'seal\[ocr\]'"):
        load_guide(GuideConfig.named("ocr"))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "guide.models.ocr=.*: no such folder; leave it out"),
        (["a_det.onnx"], r"holds 0 files \*rec\*.onnx; give one of a kind"),
        (["a_det.onnx", "b_det.onnx", "rec.onnx"], r"holds 2 files \*det\*.onnx; give one"),
    ],
)
def test_a_folder_of_other_networks_that_lacks_one_is_refused(tmp_path, files, message):
    for file in files or []:
        (tmp_path / file).touch()
    with pytest.raises(ValueError, match=message):
        load_text_reader(str(tmp_path if files else tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tile_size": 32}, "tile_size=32: tiles of at least 64 pixels"),
        ({"overlap": 1.0}, r"overlap=1.0 is not in \[0, 0.9\]"),
        ({"least_match": 0.0}, r"least_match=0.0 is not in \(0, 1\]"),
        ({"max_boxes": 0}, "max_boxes=0 is not at least 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TextReaderConfig(**change)
