"""The page in a real browser: a picture is dropped, a question asked, the search watched."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import DESKTOP, PHONE, requests_elsewhere, width_overflow
from PIL import Image

from seal.app.form import Wanted
from seal.app.ways import Way
from seal.geometry import Box
from seal.images.limits import MOST_PIXELS_VARIABLE
from seal.miniature.world import Scene, make_scene
from seal.miniature.world_questions import attribute_question

# One page is started for all of them, on one worker.
pytestmark = pytest.mark.xdist_group("app")

WAIT = 60_000  # milliseconds
SEED = 977  # of a world that nothing was trained on
# Follows every change of what lies over the picture: how many regions were shown by then.
WATCH = """() => {
  window.watched = [];
  const over = document.getElementById('seal-over');
  const note = () => { const svg = over.querySelector('svg');
    if (svg) window.watched.push([svg.querySelectorAll('.trail').length,
      svg.querySelectorAll('.step image').length, svg.querySelectorAll('.verdict').length]); };
  new MutationObserver(note).observe(over, {childList: true, subtree: true}); }"""


def scene(index: int = 0) -> Scene:
    return make_scene(SEED, index)


def png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def open_page(served: Any, chromium: Any, size: dict[str, int] = DESKTOP, **context: Any) -> Any:
    page = chromium.new_context(viewport=size, **context).new_page()
    page.elsewhere = requests_elsewhere(page)
    page.goto(served.address)
    page.wait_for_selector("#seal-go", timeout=WAIT)
    return page


def drop(page: Any, name: str, content: bytes) -> None:
    """Give a file to the page's field, and wait until the page says something of it."""
    page.locator("#seal-message").evaluate("e => e.querySelectorAll('p').forEach(p => p.remove())")
    file = {"name": name, "mimeType": "image/png", "buffer": content}
    page.locator("#seal-upload input[type=file]").set_input_files([file])
    page.wait_for_selector("#seal-message .message", timeout=WAIT)


def said(page: Any) -> str:
    return str(page.locator("#seal-message .message").first.inner_text())


def ask(page: Any, question: str, options: tuple[str, ...] = ()) -> None:
    page.fill("#seal-question textarea", question)
    page.fill("#seal-options textarea", "\n".join(options))
    page.click("#seal-go")


def answered(page: Any) -> str:
    page.wait_for_selector("#seal-answer .answer", timeout=WAIT)
    page.wait_for_selector("#seal-go:not([disabled])", timeout=WAIT)
    return str(page.locator("#seal-answer .answer").first.inner_text())


def drawn_box(page: Any, root: str = "") -> Box:
    """The box that was found as it lies on the screen, in pixels of the picture under it."""
    edges = page.evaluate(
        f"""() => {{
        const root = document.querySelector('{root or "#seal-view"}');
        const image = root.querySelector('.seal-stage img').getBoundingClientRect();
        const box = root.querySelector('rect.found').getBBox();
        const on = root.querySelector('rect.found').getBoundingClientRect();
        const size = root.querySelector('.seal-over').viewBox.baseVal;
        const x = size.width / image.width, y = size.height / image.height;
        return [[box.x, box.y, box.x + box.width, box.y + box.height],
          [(on.left - image.left) * x, (on.top - image.top) * y,
           (on.right - image.left) * x, (on.bottom - image.top) * y]]; }}"""
    )
    told, shown = (Box(*values) for values in edges)
    # What the browser shows is what the markup says, but for the width of the line.
    assert max(abs(a - b) for a, b in zip(vars_of(told), vars_of(shown), strict=True)) < 4
    return told


def found_box(served: Any, drawn: Scene, kind: str) -> Box:
    """Where the same search finds a thing, asked for without the page."""
    wanted = Wanted(image=drawn.render(), name="", targets=(kind,), way=Way("", "guided"))
    (result,) = served.parts.desk.submit(wanted, lambda event: None).result(60)
    box: Box = result.boxes[0]
    return box


def vars_of(box: Box) -> tuple[float, ...]:
    return box.x0, box.y0, box.x1, box.y1


def test_a_dropped_picture_is_searched_in_sight_and_the_session_opens_offline(
    served: Any, chromium: Any, tmp_path: Path
) -> None:
    drawn = scene()
    asked = attribute_question(drawn.objects[0], np.random.default_rng(0))
    page = open_page(served, chromium)
    drop(page, "scene.png", png(drawn.render()))
    assert said(page) == "scene.png, 1024 x 1024 pixels"
    page.evaluate(WATCH)
    ask(page, asked.text, asked.options)
    text = answered(page)
    assert text in asked.options
    # Watched: the regions came one after the other, each with its heat, before the verdict.
    frames = [tuple(frame) for frame in page.evaluate("window.watched")]
    going_on = [trail for trail, _, verdicts in frames if not verdicts]
    assert len(set(going_on)) >= 2 and going_on == sorted(going_on)
    assert any(heat for _, heat, verdicts in frames if not verdicts)
    # The box is where the search says, to the pixel, and the thing is there.
    thing = drawn.find(asked.targets[0])
    shown = drawn_box(page)
    assert shown.iou(found_box(served, drawn, str(thing.kind))) > 0.99
    assert shown.iou(thing.box) > 0.3
    shares = page.locator("#seal-answer .option b").all_inner_texts()
    assert len(shares) == 4 and abs(sum(int(share.rstrip("%")) for share in shares) - 100) <= 2
    # The steps: the first one shows the whole picture in full light, the last one the verdict.
    page.locator("#seal-below input[type=range]").fill("1")
    assert page.locator("#seal-over .step.on").count() == 1
    assert page.locator("#seal-over .verdict.on").count() == 0
    assert "The whole picture" in page.locator("#seal-below .says .on").inner_text()
    assert page.elsewhere == []
    # One file, opened without any network, shows the same.
    with page.expect_download() as waiting:
        page.click("#seal-save")
    saved = tmp_path / "session.html"
    waiting.value.save_as(saved)
    assert "http" not in re.sub(r"http://www\.w3\.org/\S+", "", saved.read_text())
    context = chromium.new_context(viewport=PHONE, offline=True)
    shared = context.new_page()
    shared.goto(saved.as_uri())
    assert shared.locator(".seal-card .answer").inner_text() == text
    assert drawn_box(shared, ".seal-view").iou(shown) > 0.99
    assert width_overflow(shared) == 0
    shared.locator("input[type=range]").fill("1")
    assert shared.locator(".seal-over .step.on").count() == 1


def test_what_is_no_picture_is_told_in_a_line_and_the_page_goes_on(
    served: Any, chromium: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(served, chromium, PHONE)
    assert width_overflow(page) == 0
    page.click("#seal-go")
    page.wait_for_selector("#seal-message .message", timeout=WAIT)
    assert said(page).startswith("There is no picture yet")
    drop(page, "letter.jpg", b"Dear reader, this is no picture.\n" * 20)
    assert said(page).startswith("letter.jpg: not an image")
    drop(page, "half.png", png(scene().render())[:5000])
    assert said(page).startswith("half.png: the image is damaged")
    monkeypatch.setenv(MOST_PIXELS_VARIABLE, "1000000")
    drop(page, "huge.png", png(scene().render()))
    assert "1024 x 1024 pixels are more than the 1,000,000 that are read" in said(page)
    monkeypatch.delenv(MOST_PIXELS_VARIABLE)
    drop(page, "<img src=x onerror=alert(1)>.png", png(scene().render()))
    assert said(page).startswith("<img src=x")
    ask(page, "   ")
    page.wait_for_function(
        "document.querySelector('#seal-message').innerText.includes('question is empty')"
    )
    assert list(served.folder.rglob("*.jpg")) == []  # what was dropped is not kept
    assert width_overflow(page) == 0


@pytest.mark.slow
def test_two_users_at_once_see_each_their_own(served: Any, chromium: Any) -> None:
    scenes = [scene(1), scene(2)]
    pages = [open_page(served, chromium) for _ in scenes]
    kinds = [str(drawn.objects[0].kind) for drawn in scenes]
    for page, drawn in zip(pages, scenes, strict=True):
        drop(page, "scene.png", png(drawn.render()))
        page.get_by_label("Find things").check()
    for page, kind in zip(pages, kinds, strict=True):
        page.fill("#seal-targets textarea", kind)
    for page in pages:
        page.click("#seal-go")
    for page, drawn, kind in zip(pages, scenes, kinds, strict=True):
        assert answered(page).lower().startswith(f"{kind}: ")
        if page.locator("rect.found").count():
            assert drawn_box(page).iou(found_box(served, drawn, kind)) > 0.99
            assert drawn_box(page).iou(drawn.find(kind).box) > 0.3


@pytest.mark.slow
def test_a_long_search_widens_no_phone_and_can_be_stopped(served: Any, chromium: Any) -> None:
    drawn = scene(3)
    page = open_page(served, chromium, PHONE, color_scheme="dark")
    drop(page, "scene.png", png(drawn.render()))
    page.get_by_label("Find things").check()
    page.fill("#seal-targets textarea", drawn.absent[0])
    page.click("#seal-go")
    assert "not found" in answered(page) and width_overflow(page) == 0
    page.click("#seal-go")
    page.wait_for_selector("#seal-over .step", timeout=WAIT)
    page.click("#seal-stop")
    page.wait_for_function(
        "document.querySelector('#seal-message').innerText.startsWith('Stopped')", timeout=WAIT
    )
    page.wait_for_selector("#seal-go:not([disabled])", timeout=WAIT)
    assert page.locator("#seal-answer .answer").count() == 0
