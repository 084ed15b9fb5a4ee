"""A visit of a search as the page shows it: plain data that no network holds on to."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from seal.geometry import Box
from seal.search import canvas
from seal.search.heatmap import heat_grid
from seal.search.tree import SearchNode, split

_CELLS = 24  # of a drawn map, along its longer side
_SMOOTH = 4  # pixels drawn for each cell, so that no browser shows its edges
_STRENGTH = 0.58  # of the warmest place's color over the picture


@dataclass(frozen=True, slots=True)
class Step:
    """What one visit saw, and what guided the search on from there. Boxes in image pixels."""

    number: int  # from 1, in the order of the visits
    box: Box  # the region
    depth: int  # 1: the whole picture
    parent: int | None  # number of the visit whose part this region is
    confidence: float  # of the best detection here, in [0, 1]
    best_box: Box | None
    cue_kind: str | None  # what ranks the parts of this region: target, contextual; None: nothing
    phrase: str | None  # where the model expects the target, in its words
    heat: str | None  # a picture of the map over the region, as a data URL
    parts: tuple[tuple[Box, float], ...] = ()  # parts of the region, and each one's share of heat
    sure: dict[str, float] = field(default_factory=dict)  # other confidences, by kind of question


class Steps:
    """The visits of one search so far; `add` each as it happens."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._numbers: dict[int, int] = {}  # of visits by their node's identity
        self._nodes: list[SearchNode] = []  # keeps the identities from being given anew

    def add(self, node: SearchNode) -> Step:
        """The step of a node that was just visited; one that is known is not added again."""
        known = self._numbers.get(id(node))
        if known is not None:
            return self.steps[known - 1]
        number = len(self.steps) + 1
        parent = None if node.parent is None else self._numbers.get(id(node.parent))
        step = Step(
            number=number,
            box=node.box,
            depth=node.depth,
            parent=parent,
            confidence=node.confidence,
            best_box=node.best_box,
            cue_kind=node.cue_kind,
            phrase=None if node.cue is None else node.cue.phrase,
            heat=None if node.heat is None else _picture_of_heat(node),
            parts=_parts(node),
            sure=dict(node.confidences),
        )
        self.steps.append(step)
        self._numbers[id(node)] = number
        self._nodes.append(node)
        return step


def _parts(node: SearchNode) -> tuple[tuple[Box, float], ...]:
    if node.child_shares is None:
        return ()
    return tuple(zip(split(node.box), node.child_shares, strict=True))


def _picture_of_heat(node: SearchNode) -> str:
    """The map of a node as a small transparent PNG: warm where the heat is, clear where not."""
    assert node.heat is not None
    grid = heat_grid(node.heat, node.box.width, node.box.height, _CELLS)
    size = grid.shape[1] * _SMOOTH, grid.shape[0] * _SMOOTH
    smooth = Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC)
    heat = np.asarray(smooth).clip(0, 1)
    color = canvas.ramp(canvas.HEAT, heat)
    alpha = np.sqrt(heat)[..., None] * _STRENGTH * 255
    pixels = np.concatenate([color, alpha], -1).round().astype(np.uint8)
    stream = io.BytesIO()
    # Few colors: a map is sent with every visit, and more would not be seen.
    Image.fromarray(pixels, "RGBA").quantize(48, method=Image.Quantize.FASTOCTREE).save(
        stream, "PNG", optimize=True
    )
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
