"""At which size a model is given a picture, where it makes one picture of it."""

from __future__ import annotations

from seal.inference.hf.encode import Row
from seal.inference.hf.model import HFModel


def resized_size(hf: HFModel, row: Row, index: int = 0) -> tuple[int, int] | None:
    """(width, height) of picture `index` of a row behind a processor that keeps its shape.

    None: the processor stretches, cuts or tiles a picture, so that what its model prints can only
    be relative to the whole.
    """
    grids = row.pixels.get("image_grid_thw")
    if grids is None:
        return None
    _, rows, columns = (int(n) for n in grids[index])
    patch = int(hf.processor.image_processor.patch_size)
    return columns * patch, rows * patch
