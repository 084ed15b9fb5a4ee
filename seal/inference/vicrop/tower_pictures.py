"""Where the pixels that a vision tower is given lie in a picture of the whole image."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from seal.inference.hf.encode import Row
from seal.inference.hf.model import HFModel


def tower_picture(hf: HFModel, row: Row) -> tuple[Callable[[Tensor], Tensor], int]:
    """For a row of one image: what turns a tensor like its `pixel_values` into (C, height, width).

    Where a family shows tiles beside the whole image, the whole image. The second is the side in
    pixels of what makes up one token of it.
    """
    if "image_grid_thw" in row.pixels:
        _, rows, columns = (int(n) for n in row.pixels["image_grid_thw"][0])
        images = hf.processor.image_processor
        patch, merge = int(images.patch_size), int(images.merge_size)
        return lambda values: unpatched(values, rows, columns, patch, merge), patch * merge
    told = hf.model.config.vision_config.patch_size
    patch = int(told[0] if isinstance(told, (list, tuple)) else told)
    if row.pixels["pixel_values"].dim() == 5:  # (1, tiles, C, H, W), the whole image first
        return lambda values: values[0, 0], patch
    return lambda values: values[-1], patch  # (tiles, C, H, W), the whole image last


def unpatched(values: Tensor, rows: int, columns: int, patch: int, merge: int) -> Tensor:
    """Qwen-VL's packed patches -> (C, rows * patch, columns * patch).

    values: (rows * columns, C * frames * patch * patch), patches in blocks of merge x merge. A
    picture is shown as several equal frames: what each of them adds counts.
    """
    frames = values.shape[1] // (3 * patch * patch)
    blocks = values.view(
        rows // merge, columns // merge, merge, merge, 3, frames, patch, patch
    ).sum(5)  # (block row, block column, row, column, C, y, x)
    return blocks.permute(4, 0, 2, 5, 1, 3, 6).reshape(3, rows * patch, columns * patch)
