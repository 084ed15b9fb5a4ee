"""Regions around the peaks of a relevance map, worth a closer look (FOCUS, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seal.geometry import Box


@dataclass(kw_only=True, slots=True)
class ProposalConfig:
    """Sizes are in cells of the map; the defaults are the paper's for LLaVA-1.5 (its table 7).

    What it leaves open (how far a region grows, what counts as overlap) is chosen here.
    """

    anchors: int = 30  # cells of the highest relevance that are looked at
    apart: float = 2.0  # least distance between two of them
    least: int = 3  # side of a region at first,
    most: int = 5  # and at last; it grows by a cell on every side
    keep: float = 0.5  # as long as its mean relevance is this share of its anchor's
    overlap: float = 0.3  # IoU above which the less relevant of two regions is dropped
    regions: int = 4  # that are proposed at most; each is asked about once

    def __post_init__(self) -> None:
        if self.anchors < 1 or self.regions < 1:
            raise ValueError(
                f"anchors={self.anchors} and regions={self.regions}: at least 1 of each"
            )
        if not 1 <= self.least <= self.most:
            raise ValueError(f"expected 1 <= least <= most, got {self.least} and {self.most}")
        if self.apart < 0 or not 0 <= self.keep <= 1 or not 0 <= self.overlap <= 1:
            raise ValueError(
                "expected apart >= 0 and keep and overlap in [0, 1], got "
                f"{self.apart}, {self.keep} and {self.overlap}"
            )


def propose(grid: np.ndarray, config: ProposalConfig) -> list[Box]:
    """Regions of a (rows, columns) map >= 0 in cells, the most relevant first.

    Every one holds at least one cell; a map that is zero everywhere has none.
    """
    found: list[Box] = []
    for row, column in _anchors(grid, config):
        box = _grown(grid, row, column, config)
        if all(box.iou(other) <= config.overlap for other in found):
            found.append(box)
        if len(found) == config.regions:
            break
    return found


def _anchors(grid: np.ndarray, config: ProposalConfig) -> list[tuple[int, int]]:
    """(row, column) of the most relevant cells, none near another."""
    columns = grid.shape[1]
    best = np.argsort(-grid, axis=None, kind="stable")[: config.anchors]
    found: list[tuple[int, int]] = []
    for cell in best:
        row, column = divmod(int(cell), columns)
        near = any(np.hypot(row - r, column - c) < config.apart for r, c in found)
        if grid[row, column] > 0 and not near:
            found.append((row, column))
    return found


def _grown(grid: np.ndarray, row: int, column: int, config: ProposalConfig) -> Box:
    """The region around an anchor, cut at the border of the map."""
    rows, columns = grid.shape
    side = config.least
    best = None
    while best is None or side <= config.most:
        half = (side - 1) // 2
        x0, y0 = max(column - half, 0), max(row - half, 0)
        x1, y1 = min(column - half + side, columns), min(row - half + side, rows)
        if best is not None and grid[y0:y1, x0:x1].mean() < config.keep * grid[row, column]:
            break
        best = Box(x0, y0, x1, y1)
        side += 2
    return best
