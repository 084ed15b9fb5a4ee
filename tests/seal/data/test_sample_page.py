from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from seal.batch import IGNORE_INDEX, VISUAL_TOKEN, Mask, Row, Sample, Target, Visual
from seal.data.sample_page import add_samples
from seal.pages.page import Page
from seal.text.tokenize import load_tokenizer
from seal.tiling import Tiling
from seal.version import PACKAGE

TOKENIZER = load_tokenizer(PACKAGE / "miniature" / "assets" / "vsm_base")


def row(question: str, answer: str, loc: int | None = None) -> Row:
    asked, said = TOKENIZER.encode(question), TOKENIZER.encode(answer)
    ids = torch.tensor([*asked, VISUAL_TOKEN, VISUAL_TOKEN, *said])
    labels = torch.full_like(ids, IGNORE_INDEX)
    labels[-len(said) :] = ids[-len(said) :]
    return Row(ids, labels, loc_position=loc)


def shown(*samples: Sample) -> str:
    page = Page("a & b")
    add_samples(page, samples, TOKENIZER)
    return page.to_html()


def pictures(page: str) -> list[np.ndarray]:
    found = re.findall(r'data:image/png;base64,([^"]+)"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data in found]


def test_learnt_text_is_marked_and_visual_tokens_are_counted() -> None:
    page = shown(Sample("one", (row("what is <it>", "a cup"),)))
    assert "<title>a &amp; b</title>" in page and "<h3>one</h3>" in page
    assert "<code>2 visual tokens</code>" in page and "<mark>&lt;s&gt;a cup</mark>" in page
    assert "what is &lt;it&gt;" in page and "<it>" not in page


def test_pictures_are_told_with_their_levels() -> None:
    tiling = Tiling(2, 1, 60, 30, 4)
    visuals = (
        Visual(0, long=True, length=tiling.count(4), level=4, tiling=tiling),
        Visual(3, long=True, length=8, level=8),
    )
    page = shown(Sample("one", (replace(row("what", "a cup"), visuals=visuals),)))
    assert (
        f"<p>picture 1: 3 tiles at level 4, {tiling.count(4)} tokens in all; "
        "picture 2: 1 tile at level 8, 8 tokens in all</p>"
    ) in page
    assert "level" not in shown(Sample("two", (row("what", "a cup"),)))


def test_boxes_and_masks_are_drawn_where_they_are() -> None:
    mask = torch.zeros(20, 40)
    mask[10:, :20] = 1  # the lower left quarter, of a photo twice as wide as high
    box = torch.tensor([[0.75, 0.25, 0.3, 0.3]])
    gray = torch.full((3, 64, 64), 120, dtype=torch.uint8)
    rows = (row("q", "s", 3), row("q", "s", 3))
    targets = (Target(None, Mask.pack(mask)), Target(box, None))
    page = shown(Sample("one", rows, (gray,), gray, targets))
    plain, drawn = pictures(page)
    assert plain.shape == drawn.shape == (64, 64, 3)
    changed = (plain != drawn).any(-1)
    assert changed[34:, :30].all() and not changed[34:, 34:].any()
    assert changed[6, 40:57].all() and not changed[10:22, 42:54].any()
    assert "not annotated, 200 mask pixels" in page and "1 box, no mask" in page


def test_a_mask_takes_the_part_of_the_square_that_the_photo_takes() -> None:
    gray = torch.full((3, 64, 64), 120, dtype=torch.uint8)
    for height, extent in ((20, (1.0, 0.5)), (1, (1.0, 0.001))):
        target = Target(None, Mask.pack(torch.ones(height, 40)), extent=extent)
        page = shown(Sample("one", (row("q", "s", 3),), (gray,), gray, (target,)))
        plain, drawn = pictures(page)
        end = max(1, round(64 * extent[1]))
        changed = (plain != drawn).any(-1)
        assert changed[:end].all() and not changed[end:].any()


def test_a_chat_row_beside_expressions_has_no_supervision() -> None:
    gray = torch.full((3, 8, 8), 120, dtype=torch.uint8)
    rows = (row("q", "s", 3), row("q", "s"))
    page = shown(Sample("one", rows, (gray,), gray, (Target(None, None),)))
    assert page.count("not annotated, no mask") == 1
