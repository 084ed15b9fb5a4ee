"""The pictures that README and the documentation open with.

    python -m seal.docs.make_pictures search                       # a search on a drawn scene
    python -m seal.docs.make_pictures report --demo runs/demo      # the demo's report, as a browser
                                                                   # shows it
    python -m seal.docs.make_pictures app --address http://127.0.0.1:7860/    # after a search there
    python -m seal.docs.make_pictures page --file FILE.html --name NAME

They are written to seal/docs/pictures/, each small enough for a repository. The search is by the
models that ship with the package, on scenes that nothing was trained on.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from seal.evaluation.results.shown_searches import BEST, telling_searches
from seal.evaluation.search import SearchRun, run_search
from seal.evaluation.task import Prediction
from seal.images import open_image
from seal.inference.hub import MINIATURE_VSM
from seal.miniature.benchmark import FOLDERS, build_benchmark
from seal.miniature.report_pictures import lines_of
from seal.search.draw import draw_path
from seal.search.trace import from_dict

PICTURES = Path(__file__).resolve().parent / "pictures"
MAX_BYTES = 300_000
_SCENES = 40  # that are searched, to show the one that tells most
_SEED = 7  # of scenes that no demo shows
_WIDTH = 900


def search_picture() -> Image.Image:
    """A real search, chosen by `telling_searches` among those on a few held-out scenes."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        build_benchmark(folder / "scenes", counts={FOLDERS[0]: _SCENES}, seed=_SEED)
        run_search(
            SearchRun(
                benchmark=str(folder / "scenes"), vsm=MINIATURE_VSM, out=str(folder / "found"),
                strategies=["guided"], traces=_SCENES,
            )
        )  # fmt: skip
        lines = [line for line in lines_of(folder / "found") if _is_wide(line)]
        line = telling_searches(lines, "guided")[BEST]
        image = open_image(folder / "scenes" / line["target"]["image"])
        return draw_path(image, from_dict(line["result"]), width=_WIDTH, max_crops=8)


def _is_wide(line: Prediction) -> bool:
    """Pages have room for what is wider than high."""
    width, height = line["result"]["image_size"]
    return bool(width > height)


def page_picture(
    page: Path, *, width: int = 1180, height: int = 1560, executable: str | None = None
) -> Image.Image:
    """The top of a page, as Chromium shows it. executable: of a Chromium that is installed."""
    with _window(width, height, executable) as window:
        window.goto(page.resolve().as_uri())
        return _seen(window)


def app_picture(
    address: str, *, width: int = 1180, height: int = 1640, executable: str | None = None
) -> Image.Image:
    """`seal app` at `address` after a search in its first example; see `page_picture`."""
    with _window(width, height, executable) as window:
        window.goto(address)
        window.locator("img").first.click()  # it brings its question
        window.wait_for_timeout(2_000)
        window.get_by_role("button", name="Search", exact=True).click()
        window.get_by_text("Working memory:").wait_for(timeout=120_000)
        window.mouse.wheel(0, -10_000)
        window.wait_for_timeout(1_000)
        return _seen(window)


@contextmanager
def _window(width: int, height: int, executable: str | None) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    options: dict[str, Any] = {"args": ["--no-sandbox"]}
    if executable is not None:
        options["executable_path"] = executable
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**options)
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


def _seen(window: Any) -> Image.Image:
    with Image.open(io.BytesIO(window.screenshot())) as opened:
        return opened.convert("RGB")


def write_small(image: Image.Image, path: Path) -> Path:
    """Write a PNG of at most MAX_BYTES: of as many colors as that has room for.

    Raises:
        ValueError: it would be larger even in 16 colors.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    none, spread = Image.Dither.NONE, Image.Dither.FLOYDSTEINBERG
    for colors, dither in ((256, spread), (256, none), (128, none), (64, none), (16, none)):
        # Few pixels have the colors that matter, of boxes and verdicts: they are not averaged away.
        reduced = image.quantize(colors, method=Image.Quantize.MAXCOVERAGE)
        image.quantize(palette=reduced, dither=dither).save(path, "PNG", optimize=True)
        if path.stat().st_size <= MAX_BYTES:
            return path
    path.unlink()
    raise ValueError(f"{path} would be larger than {MAX_BYTES} bytes: show less of it")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="make the pictures of the documentation")
    parser.add_argument("which", choices=("search", "report", "app", "page"))
    parser.add_argument("--demo", type=Path, default=Path("runs/demo"), metavar="DIR")
    parser.add_argument("--address", default="http://127.0.0.1:7860/", help="of a `seal app`")
    parser.add_argument("--file", type=Path, metavar="FILE", help="of which: page")
    parser.add_argument("--name", default="page", help="of the picture of a page")
    parser.add_argument("--chromium", metavar="FILE", help="(the one that playwright installed)")
    told = parser.parse_args(arguments)
    if told.which == "search":
        print(write_small(search_picture(), PICTURES / "search.png"))
        return
    if told.which == "app":
        picture = app_picture(told.address, executable=told.chromium)
        print(write_small(picture, PICTURES / "app.png"))
        return
    page, name = (told.demo / "report.html", "report")
    if told.which == "page":
        if told.file is None:
            parser.error("page: which one? --file FILE.html")
        page, name = told.file, told.name
    print(write_small(page_picture(page, executable=told.chromium), PICTURES / f"{name}.png"))


if __name__ == "__main__":
    main()
