"""Whether a picture is of the miniature's drawn world, the only one that its models know."""

from __future__ import annotations

import numpy as np
from PIL import Image

# What the regions of that world are painted in, before light: their relief is gray.
REGION_COLORS = {
    "sky": (140, 190, 235),
    "water": (40, 92, 165),
    "grass": (92, 146, 66),
    "road": (104, 104, 112),
    "sand": (214, 188, 138),
    "snow": (232, 238, 246),
    "wall": (158, 88, 70),
}
BRIGHTNESS = (0.94, 0.97, 1.0, 1.03, 1.06)  # of a region as a whole
_SIDE = 128  # pixels along the longer side that are looked at
_NEAR = 4.0  # in differences of colors
_RELIEF = (-45.0, 90.0)  # darkest and lightest, in gray levels
_LEAST_SHARE = 0.4  # of the pixels


def is_drawn(image: Image.Image) -> bool:
    """Whether most of an RGB picture has the colors of that world's regions.

    A relief of gray leaves the differences of a color's channels as they are, so that those of a
    scene are few, and known; those of a photo are spread. Pictures of one thing close by, without
    its surroundings, are not told apart from photos.
    """
    return region_share(image) >= _LEAST_SHARE


def region_share(image: Image.Image) -> float:
    """The share of pixels in the colors of a region, in [0, 1]. image: RGB."""
    scale = min(1.0, _SIDE / max(image.size))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    seen = image.resize(size, Image.Resampling.NEAREST)  # mixed colors would be none of them
    pixels = np.asarray(seen, np.float32).reshape(-1, 3)
    light = np.asarray(BRIGHTNESS, np.float32)[:, None]
    colors = np.asarray(list(REGION_COLORS.values()), np.float32)
    known = (colors[:, None] * light).reshape(-1, 3)
    apart = np.linalg.norm(_differences(pixels)[:, None] - _differences(known), axis=-1)
    nearest = apart.argmin(-1)
    relief = (pixels - known[nearest])[:, 1]
    fits = (apart.min(-1) <= _NEAR) & (relief > _RELIEF[0]) & (relief < _RELIEF[1])
    return float(fits.mean())


def _differences(colors: np.ndarray) -> np.ndarray:
    """(..., 3) -> (..., 2): of red and blue from green."""
    return np.stack([colors[..., 0] - colors[..., 1], colors[..., 2] - colors[..., 1]], -1)
