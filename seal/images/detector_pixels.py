"""Pixels of the OWL detectors, and how a picture lies in the square they look at.

OWL-ViT's is the whole picture, stretched; OWLv2's (Minderer et al. 2023, and the code published
with it) the picture in the top left corner of a square filled up with black, so that its boxes and
maps count in the square.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image

from seal.images.pixels import normalize_bytes, pad_to_square, resized_bytes

DetectorFit = Literal["stretch", "pad"]
# As the published code does: filled with gray, OWLv2's LVIS mAP falls from 44.0 to 43.4
# (transformers, pull request 41938).
FILL = (0, 0, 0)


def detector_bytes(image: Image.Image, size: int, fit: DetectorFit = "stretch") -> np.ndarray:
    """(3, size, size) uint8: what `owl_pixels` looks up."""
    if fit == "stretch":
        return resized_bytes(image, size)
    square, _ = pad_to_square(image, "top_left", FILL)
    # Of Pillow's filters the one nearest to what OWLv2 was published with: bilinear on what a
    # Gaussian has blurred.
    square = square.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(square, dtype=np.uint8).transpose(2, 0, 1)


def owl_pixels(image: Image.Image, size: int, fit: DetectorFit = "stretch") -> np.ndarray:
    """(3, size, size) float32: the whole picture as the detector was trained, CLIP-normalized."""
    return normalize_bytes(detector_bytes(image, size, fit))


def detector_frame(width: int, height: int, fit: DetectorFit = "stretch") -> tuple[int, int]:
    """(width, height) in pixels of a width x height picture of all that the detector's square
    shows: what fractions of the square are fractions of."""
    if fit == "stretch":
        return width, height
    return max(width, height), max(width, height)
