"""Into how many tiles a processor cut a picture."""

from __future__ import annotations

import re

import numpy as np

from seal.inference.hf.encode import Row
from seal.inference.hf.model import HFModel

_TILE = re.compile(r"<row_(\d+)_col_(\d+)>")


def best_canvas(
    size: tuple[int, int], tile: tuple[int, int], least: int, most: int
) -> tuple[int, int]:
    """Rows and columns of tiles whose shape is nearest to a picture's (Chen et al. 2024, InternVL).

    size, tile: (height, width). Between equal shapes the larger one is taken while its area is
    less than twice the picture's.
    """
    height, width = size
    shapes = [
        (cols, rows)
        for cols in range(1, most + 1)
        for rows in range(1, most + 1)
        if least <= cols * rows <= most
    ]
    best, nearest = (1, 1), float("inf")
    for cols, rows in sorted(shapes, key=lambda shape: shape[0] * shape[1]):
        away = abs(width / height - cols / rows)
        larger = away == nearest and width * height > 0.5 * tile[0] * tile[1] * cols * rows
        if away < nearest or larger:
            best, nearest = (rows, cols), away
    return best


def split_tiles(hf: HFModel, row: Row, start: int) -> tuple[int, int]:
    """Rows and columns of tiles of Idefics3's picture that begins with image token `start`.

    Its prompt names every tile; (0, 0): the picture is shown once.
    """
    ids = row.tokens["input_ids"].numpy()
    places = np.flatnonzero(ids == hf.image_token_id)[start:]
    names = hf.tokenizer.convert_ids_to_tokens(ids[: places[-1] + 1].tolist())
    rows = cols = 0
    each = int(hf.processor.image_seq_len)
    for place in places[::each]:  # of each tile the first token, its name before it
        found = _TILE.fullmatch(names[place - 1])
        if found is None:
            break
        rows, cols = max(rows, int(found[1])), max(cols, int(found[2]))
    return rows, cols
