"""Where each picture's tokens stand in a row, and what part of the picture each of them shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seal.geometry import Box
from seal.inference.hf.encode import Encoded
from seal.inference.hf.grid_readers import READERS
from seal.inference.hf.grid_readers import shown_part as shown_part
from seal.inference.hf.model import HFModel


@dataclass(frozen=True, slots=True)
class TokenGrid:
    """Tokens in rows and columns over a part of a picture.

    positions: (rows, cols) int64, of the row as it is padded in its batch.
    box: what the grid as a whole covers, in pixels of the picture as it was given; it reaches
        beyond the picture where the processor pads.
    """

    positions: NDArray[np.int64]
    box: Box


def token_grids(hf: HFModel, encoded: Encoded, row: int) -> list[list[TokenGrid]]:
    """The grids of each picture of a row.

    The whole picture first; where a family also shows it finer, in tiles, they follow as one grid.
    InstructBLIP's queries each look at the whole picture: a grid of one row.

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
    for index in range(len(one.pictures)):
        number, grids = READERS[hf.model_type](hf, one, index, start)
        mine = places[start : start + number]
        found.append([TokenGrid(mine[order], box) for order, box in grids])
        start += number
    if start != len(places):
        raise ValueError(f"{hf.name}: {len(places)} image tokens in a row, {start} reckoned with")
    return found
