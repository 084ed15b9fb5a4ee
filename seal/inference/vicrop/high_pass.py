"""Where an image has detail, and the map of pure_grad: gradients on pixels that have it."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.ndimage import median_filter

from seal.inference.vicrop.blur import blurred

MEDIAN_SIDE = 7  # pixels


def high_pass(image: Image.Image, size: int | tuple[int, int], *, sigma: float = 0.8) -> np.ndarray:
    """(height, width) float32 >= 0: how far each pixel is from its surroundings, over the channels.

    The image is stretched to `size`, a side or (width, height), in values from 0 to 1; what a
    3 x 3 Gaussian leaves of it is taken away, and a 7 x 7 median takes away what is as small as
    noise.
    """
    size = (size, size) if isinstance(size, int) else size
    stretched = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    pixels = np.asarray(stretched, np.float32).transpose(2, 0, 1) / np.float32(255)
    detail = pixels - blurred(pixels, sigma)
    return median_filter(np.sqrt((detail * detail).sum(0)), size=MEDIAN_SIDE)


def has_detail(detail: np.ndarray) -> np.ndarray:
    """Bool of the same shape: above the median, which on flat pictures is among rounding noise."""
    kept: np.ndarray = detail > np.median(detail)
    return kept


def pure_grad_map(
    gradients: np.ndarray, general: np.ndarray, kept: np.ndarray, *, block: int = 14
) -> np.ndarray:
    """(rows, columns): how much more the answer hangs on a cell's pixels than a description does.

    Args:
        gradients: (channels, height, width), of the answer's log-probability by pixels.
        general: the same of the general question's answer; where it is 0 the map has no number.
        kept: (height, width) bool, `has_detail`.
        block: pixels a side of a cell.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.linalg.norm(gradients, axis=0) / np.linalg.norm(general, axis=0)
        return block_sums(share * kept, block) / share.dtype.type(block * block)


def block_sums(values: np.ndarray, block: int) -> np.ndarray:
    """(rows, columns): sums over cells of block x block; the last ones are filled with zeros."""
    padded = np.pad(values, [(0, -side % block) for side in values.shape])
    rows, columns = padded.shape[0] // block, padded.shape[1] // block
    return padded.reshape(rows, block, columns, block).sum((1, 3))
