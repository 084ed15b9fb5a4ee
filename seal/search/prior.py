"""Guidance by a map that is known beforehand, such as where people looked (COCO-Search18)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL.Image import Image

from seal.geometry import Box
from seal.search.heatmap import GridHeat
from seal.search.protocol import Cue, Detections, Heat, Query, SearchModel

Prior = Callable[[Image, str], GridHeat]  # a map over the whole image, for a target in it
Point = tuple[float, float]


def fixation_prior(
    fixations: Sequence[Point],
    width: int,
    height: int,
    *,
    gamma: float = 0.9,
    sigma: float,
    cells: int = 128,
) -> GridHeat:
    """A Gaussian at each fixation of a scanpath, the i-th (from 0) weighted gamma**i.

    Args:
        fixations: (x, y) in image pixels, in the order they were made.
        sigma: of each Gaussian, in image pixels.
        cells: of the map, along the longer side of the image.
    """
    return scanpaths_prior([fixations], width, height, gamma=gamma, sigma=sigma, cells=cells)


def scanpaths_prior(
    scanpaths: Sequence[Sequence[Point]],
    width: int,
    height: int,
    *,
    gamma: float = 0.9,
    sigma: float,
    cells: int = 128,
) -> GridHeat:
    """The sum of the maps of several people's scanpaths; see `fixation_prior`."""
    scale = cells / max(width, height)
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    x = (np.arange(columns) + 0.5) * width / columns
    y = (np.arange(rows) + 0.5) * height / rows
    grid = np.zeros((rows, columns))
    for fixations in scanpaths:
        for i, (fx, fy) in enumerate(fixations):
            across = np.exp(-((x - fx) ** 2) / (2 * sigma**2))
            down = np.exp(-((y - fy) ** 2) / (2 * sigma**2))
            grid += gamma**i * down[:, None] * across
    return GridHeat(grid, width, height)


class PriorModel:
    """A search model whose detections are another's, and whose heat is always the prior.

    With `GuidedSearch` this is the strategy `human_prior`: the best-first order of the prior.
    """

    def __init__(self, model: SearchModel, prior: Prior) -> None:
        self.model, self.prior = model, prior

    @property
    def passes_to(self) -> tuple[SearchModel, ...]:
        """What answers; see `speed.answering_models`."""
        return (self.model,)

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        return [
            Detections(found.boxes, found.scores, self._window(query))
            for query, found in zip(queries, self.model.detect(queries), strict=True)
        ]

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        return [Cue("", query.text, "prior") for query in queries]

    def settings(self) -> dict[str, Any]:
        """Those of the model that detects."""
        settings = getattr(self.model, "settings", None)  # of a test or a script: none
        return {} if settings is None else dict(settings())

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        return [self._window(query) for query in queries]

    def _window(self, query: Query) -> _Window:
        return _Window(self.prior(query.patch.image, query.text), query.patch.box)


class _Window:
    """A region of a map over the whole image."""

    def __init__(self, whole: GridHeat, box: Box) -> None:
        self.whole, self.box = whole, box

    def peak(self) -> float:
        return sys.float_info.max  # above any threshold: nothing but the prior guides

    def shares(self, regions: Sequence[Box]) -> list[float]:
        total = self.whole.mass(self.box)
        if total <= 0:
            return [0.0] * len(regions)
        moved = (region.shift(self.box.x0, self.box.y0) for region in regions)
        return [self.whole.mass(region) / total for region in moved]

    def to_numpy(self) -> np.ndarray:
        x0, y0, x1, y1 = self.box.as_ints()
        return self.whole.to_numpy()[y0:y1, x0:x1]
