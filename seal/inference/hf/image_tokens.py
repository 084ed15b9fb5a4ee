"""Where each picture's tokens stand in a row, and what part of the picture each of them shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seal.geometry import Box
from seal.inference.hf.encode import Encoded, Row
from seal.inference.hf.load import HFModel


@dataclass(frozen=True, slots=True)
class TokenGrid:
    """Tokens in rows and columns over a part of a picture.

    positions: (rows, cols) int64, of the row as it is padded in its batch.
    box: what the grid as a whole covers, in pixels of the picture as it was given; it reaches
        beyond the picture where the processor pads.
    """

    positions: NDArray[np.int64]
    box: Box


# Of one picture: tokens it takes in all, and its grids as (first token, rows, columns, step from
# one row to the next, box).
Grids = list[tuple[int, int, int, int, Box]]


def token_grids(hf: HFModel, encoded: Encoded, row: int) -> list[list[TokenGrid]]:
    """The grids of each picture of a row, the whole picture first where a family shows it so.

    Raises:
        ValueError: nothing is known about where this family's tokens stand.
    """
    if hf.model_type not in READERS:
        raise ValueError(
            f"where the tokens of a picture stand is not known for {hf.model_type}; known: "
            f"{', '.join(READERS)}"
        )
    one = encoded.rows[row]
    ids = one.tokens["input_ids"].numpy()
    places = np.flatnonzero(ids == hf.image_token_id) + encoded.offset(row)
    found, start = [], 0
    for index, picture in enumerate(one.pictures):
        number, grids = READERS[hf.model_type](hf, one, index, picture.size)
        mine = places[start : start + number]
        found.append(
            [
                TokenGrid(
                    mine[first + step * np.arange(rows)[:, None] + np.arange(cols)[None]], box
                )
                for first, rows, cols, step, box in grids
            ]
        )
        start += number
    if start != len(places):
        raise ValueError(f"{hf.name}: {len(places)} image tokens in a row, {start} reckoned with")
    return found


Reader = Callable[[HFModel, Row, int, tuple[int, int]], tuple[int, Grids]]


def _fixed(hf: HFModel, row: Row, index: int, size: tuple[int, int]) -> tuple[int, Grids]:
    """One view of the picture, cut into patches (LLaVA-1.5)."""
    height, width = (int(n) for n in row.pixels["pixel_values"].shape[-2:])
    patch = int(hf.processor.patch_size)
    rows, cols = height // patch, width // patch
    extra = int(hf.processor.num_additional_image_tokens)
    extra -= hf.processor.vision_feature_select_strategy == "default"
    box = shown_part(hf.processor.image_processor, size)
    return rows * cols + extra, [(extra, rows, cols, cols, box)]


def _patch_grid(hf: HFModel, row: Row, index: int, size: tuple[int, int]) -> tuple[int, Grids]:
    """Patches of the resized picture, merged two by two (Qwen-VL)."""
    _, rows, cols = (int(n) for n in row.pixels["image_grid_thw"][index])
    merge = int(hf.processor.image_processor.merge_size)
    rows, cols = rows // merge, cols // merge
    return rows * cols, [(0, rows, cols, cols, Box(0, 0, *size))]


def _queries(hf: HFModel, row: Row, index: int, size: tuple[int, int]) -> tuple[int, Grids]:
    """Queries that each look at the whole picture (InstructBLIP); where, its Q-Former knows."""
    number = int(hf.model.config.num_query_tokens)
    return number, [(0, 1, number, number, Box(0, 0, *size))]


READERS: dict[str, Reader] = {
    "llava": _fixed,
    "qwen2_vl": _patch_grid,
    "qwen2_5_vl": _patch_grid,
    "qwen3_vl": _patch_grid,
    "qwen3_vl_moe": _patch_grid,
    "qwen3_5": _patch_grid,
    "qwen3_5_moe": _patch_grid,
    "instructblip": _queries,
}


def shown_part(images: Any, size: tuple[int, int]) -> Box:
    """What an image processor shows of a picture of `size`, (width, height), in its pixels."""
    width, height = size
    if getattr(images, "do_pad", False) and not getattr(images, "do_center_crop", False):
        side = max(width, height)
        left, top = (side - width) / 2, (side - height) / 2
        return Box(-left, -top, side - left, side - top)
    if not getattr(images, "do_center_crop", False):
        return Box(0, 0, width, height)
    short = images.size["shortest_edge"]
    if short is None:  # to a fixed size before the cut
        across, down = images.size["width"] / width, images.size["height"] / height
    else:
        across = down = short / min(width, height)
    cut_width, cut_height = images.crop_size["width"] / across, images.crop_size["height"] / down
    left, top = (width - cut_width) / 2, (height - cut_height) / 2
    return Box(left, top, left + cut_width, top + cut_height)
