"""How each family lays a picture's tokens out, from the picture's size and its processor.

A reader gives how many image tokens picture `index` of a row takes, and its grids: the order of
those tokens in rows and columns, and the box they cover in pixels of the picture. `start` is the
number of image tokens before them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers.image_processing_utils import select_best_resolution

from seal.geometry import Box, square_padding
from seal.inference.hf.encode import Row
from seal.inference.hf.model import HFModel
from seal.inference.hf.tiles import best_canvas, split_tiles

Order = NDArray[np.int64]  # (rows, cols)
Grids = list[tuple[Order, Box]]
Reader = Callable[[HFModel, Row, int, int], tuple[int, Grids]]


def shown_part(images: Any, size: tuple[int, int]) -> Box:
    """What an image processor shows of a picture of `size`, (width, height), in its pixels."""
    width, height = size
    if not getattr(images, "do_center_crop", False):
        return _square(size) if getattr(images, "do_pad", False) else Box(0, 0, width, height)
    short = images.size["shortest_edge"]
    if short is None:  # to a fixed size before the cut
        across, down = images.size["width"] / width, images.size["height"] / height
    else:
        across = down = short / min(width, height)
    cut_width, cut_height = images.crop_size["width"] / across, images.crop_size["height"] / down
    left, top = (width - cut_width) / 2, (height - cut_height) / 2
    return Box(left, top, left + cut_width, top + cut_height)


def _llava(hf: HFModel, row: Row, index: int, start: int) -> tuple[int, Grids]:
    """One view of the picture, cut into patches."""
    height, width = (int(n) for n in row.pixels["pixel_values"].shape[-2:])
    patch = int(hf.processor.patch_size)
    rows, cols = height // patch, width // patch
    extra = int(hf.processor.num_additional_image_tokens)
    extra -= hf.processor.vision_feature_select_strategy == "default"
    box = shown_part(hf.processor.image_processor, row.pictures[index].size)
    return rows * cols + extra, [(extra + _order(rows, cols), box)]


def _llava_next(hf: HFModel, row: Row, index: int, start: int) -> tuple[int, Grids]:
    """The whole picture as a square, then finer, at its own shape, a mark behind each line."""
    side = int(row.pixels["pixel_values"].shape[-1]) // int(hf.processor.patch_size)
    whole = _order(side, side), _all(row, index)
    fine, number = _fine(hf, row, index, side, most=None)
    return side * side + number, [whole, (side * side + fine[0], fine[1])]


def _llava_onevision(hf: HFModel, row: Row, index: int, start: int) -> tuple[int, Grids]:
    """As LLaVA-NeXT; of several pictures each is shown once, padded to a square."""
    side = math.isqrt(int(hf.processor.num_image_tokens))
    if len(row.pictures) > 1:
        whole = _order(side, side), _square(row.pictures[index].size)
        return side * side + 1, [whole]
    most = int(str(hf.processor.vision_aspect_ratio).removeprefix("anyres_max_"))
    fine, number = _fine(hf, row, index, side, most=most)
    whole = _order(side, side), _all(row, index)
    return side * side + number, [whole, (side * side + fine[0], fine[1])]


def _qwen(hf: HFModel, row: Row, index: int, start: int) -> tuple[int, Grids]:
    """Patches of the resized picture, merged two by two."""
    _, rows, cols = (int(n) for n in row.pixels["image_grid_thw"][index])
    merge = int(hf.processor.image_processor.merge_size)
    rows, cols = rows // merge, cols // merge
    return rows * cols, [(_order(rows, cols), _all(row, index))]


def _internvl(hf: HFModel, row: Row, index: int, start: int) -> tuple[int, Grids]:
    """Tiles of the stretched picture, then the whole of it; a small one is shown once."""
    each = int(hf.processor.image_seq_length)
    tiles = _run(hf, row, start) // each
    side = math.isqrt(each)
    if tiles == 1:
        return each, [(_order(side, side), _all(row, index))]
    images, (width, height) = hf.processor.image_processor, row.pictures[index].size
    tile = images.size["height"], images.size["width"]
    rows, cols = best_canvas((height, width), tile, images.min_patches, images.max_patches)
    assert rows * cols == tiles - 1, (rows, cols, tiles)
    whole = (tiles - 1) * each + _order(side, side)
    return tiles * each, [
        (whole, _all(row, index)), (_joined(rows, cols, side), _all(row, index)),
    ]  # fmt: skip


def _idefics(hf: HFModel, row: Row, index: int, start: int) -> tuple[int, Grids]:
    """As InternVL, with words between the tiles that tell where each of them lies."""
    each = int(hf.processor.image_seq_len)
    side = math.isqrt(each)
    rows, cols = split_tiles(hf, row, start)
    whole = rows * cols * each + _order(side, side)
    grids = [(whole, _all(row, index))]
    if rows * cols:
        grids.append((_joined(rows, cols, side), _all(row, index)))
    return (rows * cols + 1) * each, grids


def _gemma(hf: HFModel, row: Row, index: int, start: int) -> tuple[int, Grids]:
    """The whole picture, stretched to a square."""
    each = int(hf.processor.image_seq_length)
    side = math.isqrt(each)
    return each, [(_order(side, side), _all(row, index))]


def _instructblip(hf: HFModel, row: Row, index: int, start: int) -> tuple[int, Grids]:
    """Queries that each look at the whole picture; where, the Q-Former knows."""
    number = int(hf.model.config.num_query_tokens)
    return number, [(_order(1, number), _all(row, index))]


READERS: dict[str, Reader] = {
    "llava": _llava,
    "llava_next": _llava_next,
    "llava_onevision": _llava_onevision,
    "qwen2_vl": _qwen,
    "qwen2_5_vl": _qwen,
    "qwen3_vl": _qwen,
    "qwen3_vl_moe": _qwen,
    "qwen3_5": _qwen,
    "qwen3_5_moe": _qwen,
    "glm4v": _qwen,
    "internvl": _internvl,
    "idefics3": _idefics,
    "smolvlm": _idefics,
    "gemma3": _gemma,
    "instructblip": _instructblip,
}


def _fine(
    hf: HFModel, row: Row, index: int, side: int, *, most: int | None
) -> tuple[tuple[Order, Box], int]:
    """The finer view of LLaVA-NeXT and OneVision, and how many tokens it takes.

    The picture is fitted into the best of the resolutions the model knows and padded there; tokens
    of padding alone are dropped, up to rounding, and a mark ends each line.

    most: tiles beyond which the grid is shrunk.
    """
    width, height = row.pictures[index].size
    images = hf.processor.image_processor
    canvas_height, canvas_width = select_best_resolution(
        (height, width), images.image_grid_pinpoints
    )
    tile = int(row.pixels["pixel_values"].shape[-1])
    rows, cols = canvas_height // tile * side, canvas_width // tile * side
    cell = tile / side
    # In pixels of the canvas: the fitted picture, and what is left once padding is dropped.
    across, down = canvas_width / width, canvas_height / height
    scale = min(across, down)
    if across < down:
        drawn_width, drawn_height = canvas_width, min(math.ceil(height * across), canvas_height)
    else:
        drawn_width, drawn_height = min(math.ceil(width * down), canvas_width), canvas_height
    left, top = (canvas_width - drawn_width) // 2, (canvas_height - drawn_height) // 2
    cut_rows = cut_cols = 0
    if width / height > cols / rows:
        cut_rows = (rows - int(round(height * (cols / width), 7))) // 2
    else:
        cut_cols = (cols - int(round(width * (rows / height), 7))) // 2
    x0, y0 = (cut_cols * cell - left) / scale, (cut_rows * cell - top) / scale
    rows, cols = rows - 2 * cut_rows, cols - 2 * cut_cols
    box = Box(x0, y0, x0 + cols * cell / scale, y0 + rows * cell / scale)
    if most is not None and (ratio := math.sqrt(rows * cols / (most * side**2))) > 1.1:
        rows, cols = int(rows // ratio), int(cols // ratio)
    lines = (cols + 1) * np.arange(rows, dtype=np.int64)[:, None]
    return (lines + np.arange(cols, dtype=np.int64), box), rows * (cols + 1)


def _order(rows: int, cols: int) -> Order:
    return np.arange(rows * cols, dtype=np.int64).reshape(rows, cols)


def _joined(rows: int, cols: int, side: int) -> Order:
    """Tiles of (side, side) tokens, one after the other, as one grid."""
    tiles = np.arange(rows * cols * side * side, dtype=np.int64).reshape(rows, cols, side, side)
    return tiles.transpose(0, 2, 1, 3).reshape(rows * side, cols * side)


def _all(row: Row, index: int) -> Box:
    return Box(0, 0, *row.pictures[index].size)


def _square(size: tuple[int, int]) -> Box:
    side, left, top = square_padding(*size)
    return Box(-left, -top, side - left, side - top)


def _run(hf: HFModel, row: Row, start: int) -> int:
    """How many image tokens stand in one run from the one of number `start`."""
    places = np.flatnonzero(row.tokens["input_ids"].numpy() == hf.image_token_id)[start:]
    gaps = np.flatnonzero(np.diff(places) != 1)
    return int(gaps[0]) + 1 if len(gaps) else len(places)
