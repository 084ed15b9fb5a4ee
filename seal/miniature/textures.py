"""Textures of the tiny world's regions: periodic tiles, drawn once, cut to any rectangle."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from seal.images.drawn import BRIGHTNESS as BRIGHTNESS
from seal.images.drawn import REGION_COLORS

TILE = 512  # pixels; every texture repeats after this many


def fill(pixels: NDArray[np.uint8], region: str, offset: tuple[int, int], shade: int) -> None:
    """Cover (h, w, 3) `pixels`, in place, starting `offset` (x, y) pixels into the region's tile.

    `shade`: index into `BRIGHTNESS`.
    """
    tile = _tile(region, shade)
    height, width = pixels.shape[:2]
    for y in range(-offset[1], height, TILE):
        for x in range(-offset[0], width, TILE):
            left, top = max(x, 0), max(y, 0)
            right, bottom = min(x + TILE, width), min(y + TILE, height)
            pixels[top:bottom, left:right] = tile[top - y : bottom - y, left - x : right - x]


@cache
def _tile(region: str, shade: int) -> NDArray[np.uint8]:
    """(TILE, TILE, 3) uint8 that wraps around."""
    relief, color = _surface(region)
    pixels = (np.asarray(color, np.float32) + relief[..., None]) * np.float32(BRIGHTNESS[shade])
    return pixels.clip(0, 255).astype(np.uint8)


@cache
def _surface(region: str) -> tuple[NDArray[np.floating], tuple[int, int, int]]:
    """Relief and color of a region under even light."""
    rng = np.random.default_rng(list(region.encode()))
    y, x = np.mgrid[:TILE, :TILE] * (2 * np.pi / TILE)
    relief = _TEXTURES[region](x, y, rng.normal(size=(TILE, TILE)))
    return relief.astype(np.float32), REGION_COLORS[region]


def _sky(x: NDArray, y: NDArray, noise: NDArray) -> NDArray:
    clouds = np.sin(3 * x + 2 * np.sin(2 * y)) + np.sin(5 * y + np.sin(4 * x))
    return 9 * clouds + 2 * noise


def _water(x: NDArray, y: NDArray, noise: NDArray) -> NDArray:
    waves = np.sin(32 * y + 3 * np.sin(4 * x)) > 0.6
    return 28 * waves + 3 * noise


def _grass(x: NDArray, y: NDArray, noise: NDArray) -> NDArray:
    blades = np.sin(64 * x + 3 * np.sin(5 * y)) * np.sin(24 * y)
    return 12 * blades + 9 * noise


def _road(x: NDArray, y: NDArray, noise: NDArray) -> NDArray:
    dashes = (np.sin(4 * y) > 0.985) & (np.sin(8 * x) > 0)
    return 70 * dashes + 7 * noise


def _sand(x: NDArray, y: NDArray, noise: NDArray) -> NDArray:
    ripples = np.sin(20 * (x + y) + 2 * np.sin(3 * x))
    return 7 * ripples + 7 * noise


def _snow(x: NDArray, y: NDArray, noise: NDArray) -> NDArray:
    drifts = np.sin(4 * x + 3 * np.sin(2 * y)) * np.sin(3 * y)
    return 8 * drifts + 3 * noise


def _wall(x: NDArray, y: NDArray, noise: NDArray) -> NDArray:
    rows, columns = y / (2 * np.pi) * 32, x / (2 * np.pi) * 16
    joints = (rows % 1 < 0.13) | ((columns + 0.5 * (np.floor(rows) % 2)) % 1 < 0.07)
    return 45 * joints + 5 * noise


_TEXTURES = {
    "sky": _sky,
    "water": _water,
    "grass": _grass,
    "road": _road,
    "sand": _sand,
    "snow": _snow,
    "wall": _wall,
}
