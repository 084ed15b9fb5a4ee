"""The reading guide with its real networks: on pages printed here, and on photographs."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest
from real.packages import NotFetchedError, unpacked
from real.printed_pages import Word, print_page

from seal.geometry import Box
from seal.images import open_image
from seal.inference.guides.ocr import TextReader, load_text_reader
from seal.search.config import SearchConfig
from seal.search.driver import run_searches
from seal.search.guided import GuidedSearch
from seal.search.protocol import Patch, Query

pytestmark = pytest.mark.real

DATA = Path(os.environ.get("SEAL_SAMPLES", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="module")
def package() -> Path:
    """Where the package lies that holds the networks, installed or fetched."""
    for needed in ("onnxruntime", "pyclipper", "shapely", "six"):
        pytest.importorskip(needed, reason=f"{needed}, of the dev extra, is not installed")
    if (found := importlib.util.find_spec("rapidocr_onnxruntime")) is not None:
        return Path(str(found.origin)).parent
    try:
        folder = unpacked("rapidocr-onnxruntime")
    except NotFetchedError as error:
        pytest.skip(str(error))
    sys.path.append(str(folder))
    return folder / "rapidocr_onnxruntime"


@pytest.fixture(scope="module")
def guide(package) -> TextReader:
    return load_text_reader()


def everywhere(guide: TextReader, image, target: str) -> list[tuple[Box, float]]:
    """The places for a target in the whole image that are good enough for the search."""
    whole = Patch(image, Box(0, 0, *image.size))
    (told,) = guide.detect([Query("detect", whole, target)])
    least = guide.search_config().confidence_low
    return [
        (Box(*box.tolist()), float(score))
        for box, score in zip(told.boxes, told.scores, strict=True)
        if score >= least
    ]


def found(guide: TextReader, image, target: str) -> tuple[Box, float] | None:
    """The best of them."""
    return next(iter(everywhere(guide, image, target)), None)


@pytest.mark.parametrize("size", [(1200, 800), (700, 1100), (901, 903)])
def test_printed_words_are_found_where_they_stand(guide, size):
    words = [
        Word("Harvest Festival", 60, 40, 48, "DejaVu Serif"),
        Word("platform 9", 80, 160, 30, "DejaVu Sans Mono"),
        Word("No Parking", 100, 250, 36, slope=8),
        Word("Lost umbrella", 150, 380, 28, slope=-12),
        Word("Gate B12", 200, 600, 20, "DejaVu Serif"),
        Word("tiny print here", 300, 700, 13),
        Word("VERTICAL", size[0] - 80, 150, 34, slope=90),
        Word("UPSIDE DOWN", 420, 520, 30, slope=180),
    ]
    page, boxes = print_page(size, words)
    for text, box in boxes.items():
        place = found(guide, page, f"the text '{text}'")
        assert place is not None, f"{text} is not found"
        assert place[0].iou(box) > 0.5, f"{text}: {place[0]}, printed at {box}"
        assert place[1] > 0.85
    assert found(guide, page, "the word 'Elephant'") is None
    # One word of a line, by its share of the line.
    part = found(guide, page, "Festival")
    assert part is not None and part[0].x0 > 200 and part[0].iou(boxes["Harvest Festival"]) < 0.7


def test_small_print_on_a_large_page_is_found(guide):
    sizes = [12, 13, 14, 16, 18, 20, 24, 30, 60, 160, 22, 26]
    texts = "Cedar|Juniper|Amber|Quartz lamp|Violet 77|Window seat|Harbor Street|Copper|Bakery"
    texts += "|Station|a long line of print that runs over more than one tile of the page|Olive 4"
    words = [
        Word(text, 60 + (i % 4) * 930, 90 + (i // 4) * 800, pixels)
        for i, (text, pixels) in enumerate(zip(texts.split("|"), sizes, strict=True))
    ]
    page, boxes = print_page((4000, 2600), words)
    for text, box in boxes.items():  # of letters 9 pixels high a reader's margin is as much again
        place = found(guide, page, f"'{text}'")
        assert place is not None, f"{text} is not found"
        assert place[0].iou(box) > 0.3, f"{text}: {place[0]}, printed at {box}"
    at_once = " ".join(line.text for line in guide.reader.read(page))
    assert "Cedar" not in at_once and "Juniper" not in at_once  # why large pages are read in tiles


def test_a_search_ends_at_the_word(guide):
    page, boxes = print_page(
        (1600, 1000), [Word("Bakery", 200, 100, 30), Word("Bank", 1300, 800, 24)]
    )
    config = guide.search_config()
    search = GuidedSearch(
        SearchConfig(confidence_high=config.confidence_high, confidence_low=config.confidence_low,
                     cue_threshold=0.5, cue_threshold_min=0.5, use_contextual_cue=False)
    )  # fmt: skip
    (result,) = run_searches([search.explore(page, "the word 'Bank'")], guide)
    assert result.found and result.boxes[0].iou(boxes["Bank"]) > 0.3
    assert result.path[0].said == "reads: Bakery | Bank"


def test_the_networks_of_a_folder_are_the_packages(package, guide):
    page, _ = print_page((600, 200), [Word("Harbor Street", 40, 60, 30)])
    (line,) = load_text_reader(str(package / "models")).lines(page)
    (same,) = guide.lines(page)
    assert line.text == same.text and line.score == same.score


# What can be read in photographs by eye, and a point within it. Photograph, text, x, y.
PRINT = [
    ("highres_photos/blackmug.JPG", "SyncMaster 2494", 2888, 620),
    ("highres_photos/blackmug.JPG", "SAMSUNG", 3360, 1358),
    ("highres_photos/blackmug.JPG", "SIGGRAPH", 2190, 1495),
    ("highres_photos/flag.JPG", "WARRIORS", 1990, 1440),
    ("highres_photos/signicade.JPG", "HISTORIC", 1830, 290),
    ("highres_photos/signicade.JPG", "MURPHY", 1955, 370),
    ("highres_photos/signicade.JPG", "Murphy Ave.", 870, 760),
    ("highres_photos/signicade.JPG", "office for lease", 1965, 855),
    ("highres_photos/signicade.JPG", "(408) 391-9081", 1965, 884),
    ("highres_photos/signicade.JPG", "Wilson's", 2390, 1142),
    ("highres_photos/signicade.JPG", "AVENUE", 2102, 1457),
    ("highres_photos/signicade.JPG", "it's all in", 1040, 400),
    ("vstar_bench/direct_attributes/sa_66657.jpg", "SINT-JORIS", 962, 1115),
    ("vstar_bench/direct_attributes/sa_66657.jpg", "AMBIOR", 283, 1105),
    ("vstar_bench/direct_attributes/sa_66657.jpg", "Brasserie", 1021, 1115),
    ("coco_tiny/train2017/000000173350.jpg", "07 15 2006", 538, 434),
    ("coco_tiny/train2017/000000372938.jpg", "CHEVROLET", 448, 329),
    ("coco_tiny/train2017/000000412151.jpg", "KARMA", 294, 102),
    ("coco_tiny/train2017/000000462565.jpg", "Burger King", 126, 92),
    ("coco_tiny/val2017/000000058636.jpg", "PARKING", 235, 290),
    ("coco_tiny/val2017/000000058636.jpg", "GLADYS", 180, 340),
    ("coco_tiny/val2017/000000087038.jpg", "HOSTAGES", 124, 116),
    ("coco_tiny/val2017/000000087038.jpg", "don't give up on us", 115, 141),
    ("coco_tiny/val2017/000000122745.jpg", "STOP", 284, 180),
    ("coco_tiny/val2017/000000122745.jpg", "VOLDEMORT", 288, 210),
    ("coco_tiny/val2017/000000143931.jpg", "SCOTT BROWN", 330, 150),
    ("coco_tiny/val2017/000000143931.jpg", "www.ScottBrown.com", 440, 340),
    ("coco_tiny/val2017/000000226111.jpg", "NO", 190, 79),
    ("coco_tiny/val2017/000000226111.jpg", "skateboards", 190, 228),
    ("coco_tiny/val2017/000000226111.jpg", "on sidewalks in this area", 186, 272),
    ("coco_tiny/val2017/000000252219.jpg", "212-645-2190", 309, 91),
    ("coco_tiny/val2017/000000296649.jpg", "BRIDGESTONE", 525, 226),
    ("coco_tiny/val2017/000000296649.jpg", "AMARON", 525, 212),
    ("coco_tiny/val2017/000000297343.jpg", "STOP", 156, 249),
    ("coco_tiny/val2017/000000303818.jpg", "AEROPORT", 450, 93),
    ("coco_tiny/val2017/000000303818.jpg", "Nice Airport", 385, 246),
    ("coco_tiny/val2017/000000336587.jpg", "STOP", 295, 47),
    ("coco_tiny/val2017/000000386912.jpg", "iMac", 108, 319),
    ("coco_tiny/val2017/000000460347.jpg", "CORREDOR SUR", 214, 136),
    ("coco_tiny/val2017/000000502136.jpg", "USCITA", 77, 179),
]  # fmt: skip
ABSENT = ["elephant", "PHARMACY", "'no smoking'", "the number 8841"]


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no photographs in {DATA} (SEAL_SAMPLES)")
def test_print_in_photographs_is_found(guide):
    images, hits, misses = {}, [], []
    for name, text, x, y in PRINT:
        image = images.setdefault(name, open_image(DATA / name))
        told = everywhere(guide, image, f"the text '{text}'")
        right = any(box.x0 <= x < box.x1 and box.y0 <= y < box.y1 for box, _ in told)
        (hits if right else misses).append(f"{text} ({Path(name).stem}): {told[:1]}")
    wrong = [
        f"{text} ({Path(name).stem}): {place}"
        for name, image in images.items()
        for text in ABSENT
        if (place := found(guide, image, text)) is not None
    ]
    told = f"{len(hits)} of {len(PRINT)} found; missed:\n" + "\n".join(misses)
    told += f"\n{len(wrong)} of {len(images) * len(ABSENT)} found that are not there:\n"
    told += "\n".join(wrong)
    print(told)
    assert len(hits) >= 31, told
    assert len(wrong) <= 1, told
