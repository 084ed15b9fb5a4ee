"""From what is read of a model to the map that the window is chosen on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seal.geometry import Box
from seal.images import cut
from seal.inference.vicrop.blur import blurred
from seal.inference.vicrop.config import ViCropConfig
from seal.inference.vicrop.high_pass import has_detail, high_pass, pure_grad_map
from seal.inference.vicrop.place import PlacedMap
from seal.inference.vicrop.reader import AttentionReader, Look, PixelFactors, RelativeFactors


def make_maps(
    reader: AttentionReader, looks: Sequence[Look], config: ViCropConfig
) -> list[PlacedMap]:
    """One map of each look, by `config.method`, smoothed if the config says so.

    With `view=as_released` each is stretched over the whole image, wherever it was read.
    """
    layer = reader.layer if config.layer is None else config.layer
    if config.method == "rel_att":
        found = reader.relative(looks, layer=layer)
        return placed_maps(found, looks, config, floor=general_floor(reader, config))
    if config.method == "grad_att":
        maps = [
            PlacedMap(factors.weighted, factors.view)
            for factors in reader.gradients(looks, layer=layer)
        ]
    else:
        maps = [
            PlacedMap(detailed_map(look, factors, config), factors.view)
            for look, factors in zip(looks, reader.pixels(looks), strict=True)
        ]
    return _configured(maps, looks, config)


def placed_maps(
    factors: Sequence[RelativeFactors],
    looks: Sequence[Look],
    config: ViCropConfig,
    *,
    floor: float = 0.0,
) -> list[PlacedMap]:
    """The maps of rel-att from what was read, one of each look; see `make_maps`."""
    maps = [PlacedMap(relative_map(each, floor), each.view) for each in factors]
    return _configured(maps, looks, config)


def general_floor(reader: AttentionReader, config: ViCropConfig) -> float:
    """The least general attention, as a share of its mean: the user's, or the family's."""
    return reader.defaults.floor if config.general_floor is None else config.general_floor


def _configured(
    maps: list[PlacedMap], looks: Sequence[Look], config: ViCropConfig
) -> list[PlacedMap]:
    if config.smoothing > 0:
        maps = [PlacedMap(blurred(m.values, config.smoothing), m.view) for m in maps]
    if config.view == "as_released":
        maps = [
            PlacedMap(m.values, Box(0, 0, *look.image.size))
            for m, look in zip(maps, looks, strict=True)
        ]
    return maps


def relative_map(factors: RelativeFactors, floor: float = 0.0) -> np.ndarray:
    """(rows, columns): attention for the question over attention for the general question.

    `floor`: the least general attention, as a share of its mean.
    """
    least = floor * factors.general.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        relative: np.ndarray = factors.question / np.maximum(factors.general, least)
    return relative


def detailed_map(look: Look, factors: PixelFactors, config: ViCropConfig) -> np.ndarray:
    """(rows, columns): gradients of the question over the general ones, where there is detail."""
    height, width = factors.question.shape
    if config.view == "as_released":
        detail = high_pass(look.image, (width, height), sigma=config.high_pass_sigma)
        kept = has_detail(detail)
    else:
        kept = _detail_in_view(look, factors, config.high_pass_sigma)
    return pure_grad_map(
        factors.question[None], factors.general[None], kept, block=config.block or factors.patch
    )


def _detail_in_view(look: Look, factors: PixelFactors, sigma: float) -> np.ndarray:
    """(height, width) bool of the tower's picture: nothing where it shows padding."""
    height, width = factors.question.shape
    view, image = factors.view, look.image
    left, right = max(round(view.x0), 0), min(round(view.x1), image.width)
    top, bottom = max(round(view.y0), 0), min(round(view.y1), image.height)
    across, down = width / view.width, height / view.height
    x0, x1 = (round((x - view.x0) * across) for x in (left, right))
    y0, y1 = (round((y - view.y0) * down) for y in (top, bottom))
    kept = np.zeros((height, width), bool)
    if x1 > x0 and y1 > y0:
        shown = cut(image, (left, top, right, bottom))
        kept[y0:y1, x0:x1] = has_detail(high_pass(shown, (x1 - x0, y1 - y0), sigma=sigma))
    return kept
