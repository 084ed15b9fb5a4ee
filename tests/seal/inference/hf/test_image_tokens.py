"""Tokens stand for the part of the picture that their grid says, in every family.

The tower's attention is silenced, so that what a patch becomes depends on its own pixels alone; a
block of the picture is then painted over, and the tokens that change are those of its cells.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_families import FAMILIES, folder, missing

from seal.geometry import Box
from seal.inference.hf.encode import encode, user
from seal.inference.hf.image_tokens import token_grids
from seal.inference.hf.load import load_hf

SIZES = [(150, 60), (64, 190)]
# Families whose queries look at the whole picture, each of them.
EVERYWHERE = ("instructblip",)


SEEN = [name for name in FAMILIES if name not in EVERYWHERE]
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("qwen2_vl", "glm4v")]


@pytest.fixture(scope="module", params=[*SEEN, *SLOW])
def hf(request):
    if reason := missing(request.param):
        pytest.skip(reason)
    loaded = load_hf(folder(request.param), device="cpu")
    tower = [m for m in loaded.model.modules() if type(m).__name__.endswith(("Attention",))]
    for name, module in loaded.model.named_modules():
        inside = "vision" in name or "visual" in name
        if inside and module in tower:
            for part in ("out_proj", "proj", "projection_layer"):
                if (linear := getattr(module, part, None)) is not None:
                    torch.nn.init.zeros_(linear.weight)
                    if linear.bias is not None:
                        torch.nn.init.zeros_(linear.bias)
    return loaded


def embeddings(hf, pictures):
    """(P, D) of the language model's input, and the batch; two rows, the second with `pictures`."""
    items = [{"type": "image", "image": picture} for picture in pictures]
    long = user([{"type": "text", "text": "a longer row than the other " * 4}])
    batch = encode(hf, [long, user([*items, {"type": "text", "text": "What?"}])])
    seen = []
    decoder = hf.model.get_decoder()
    hook = decoder.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs["inputs_embeds"]), with_kwargs=True
    )
    with torch.inference_mode():
        hf.model(**batch.inputs)
    hook.remove()
    return seen[0][1], batch


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_tokens_that_change_are_those_of_the_painted_part(hf, size):
    plain = Image.new("RGB", size, (120, 120, 120))
    other = Image.new("RGB", (70, 70), (60, 60, 60))
    for pictures in ([plain], [other, plain]):
        before, batch = embeddings(hf, pictures)
        grids = token_grids(hf, batch, 1)[-1]
        # What is painted is what a third of the finest grid covers, from a cell inside its edge.
        finest = max(grids, key=lambda grid: grid.positions.size)
        painted = cell(finest, *(n // 3 for n in finest.positions.shape), 2)
        painted = clipped(painted, size)
        spoiled = plain.copy()
        spoiled.paste((250, 20, 90), painted.as_ints())
        after, _ = embeddings(hf, [*pictures[:-1], spoiled])
        changed = (before - after).abs().amax(1).numpy() > 1e-4
        for grid in grids:
            check(grid, painted, changed)
        known = np.concatenate([grid.positions.ravel() for grid in grids])
        assert not np.delete(changed, known).any()


def cell(grid, row, col, number=1):
    rows, cols = grid.positions.shape
    width, height = grid.box.width / cols, grid.box.height / rows
    x, y = grid.box.x0 + col * width, grid.box.y0 + row * height
    return Box(x, y, x + number * width, y + number * height)


def clipped(box, size):
    x0, y0 = max(0, round(box.x0)), max(0, round(box.y0))
    return Box(x0, y0, min(size[0], max(x0 + 1, round(box.x1))), min(size[1], round(box.y1)))


def check(grid, painted, changed):
    """Cells of which a fifth is painted change; cells a cell away from the paint do not."""
    rows, cols = grid.positions.shape
    best = 0.0
    for row in range(rows):
        for col in range(cols):
            part = cell(grid, row, col)
            overlap = shared(part, painted)
            best = max(best, overlap)
            if overlap > 0.2:
                assert changed[grid.positions[row, col]], (row, col)
            elif away(part, painted):
                assert not changed[grid.positions[row, col]], (row, col)
    assert best > 0.2 or painted.area < 0.2 * cell(grid, 0, 0).area


def shared(part, painted):
    w = min(part.x1, painted.x1) - max(part.x0, painted.x0)
    h = min(part.y1, painted.y1) - max(part.y0, painted.y0)
    return max(0, w) * max(0, h) / part.area


def away(part, painted):
    """Farther from the paint than resizing blurs: a cell."""
    wide, high = part.width, part.height
    return (
        part.x1 + wide <= painted.x0 or part.x0 - wide >= painted.x1
        or part.y1 + high <= painted.y0 or part.y0 - high >= painted.y1
    )  # fmt: skip


def test_instructblips_queries_are_one_row_over_the_whole_picture():
    hf = load_hf(folder("instructblip"), device="cpu")
    pictures = [Image.new("RGB", (60, 40)), Image.new("RGB", (30, 50))]
    items = [{"type": "image", "image": picture} for picture in pictures]
    batch = encode(hf, [user([*items, {"type": "text", "text": "What?"}])])
    (one,), (two,) = token_grids(hf, batch, 0)
    assert one.positions.tolist() == [[0, 1, 2, 3]] and two.positions.tolist() == [[4, 5, 6, 7]]
    assert (one.box, two.box) == (Box(0, 0, 60, 40), Box(0, 0, 30, 50))


def test_a_family_of_which_nothing_is_known_says_so():
    hf = load_hf(folder("llava"), device="cpu")
    batch = encode(hf, [user([{"type": "text", "text": "What?"}])])
    hf.model.config.model_type = "pixtral"
    with pytest.raises(ValueError, match="not known for pixtral; known: llava, llava_next"):
        token_grids(hf, batch, 0)
    hf.model.config.model_type = "llava"
