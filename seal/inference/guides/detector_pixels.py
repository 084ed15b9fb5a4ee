"""How a patch is made to fit a detector, and where the detector's boxes lie on the patch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from seal.geometry import Anchor
from seal.images import (
    CLIP_COLORS,
    FILL,
    IntBox,
    Normalization,
    normalize_bytes,
    region_bytes,
    to_rgb,
)

LEAST_SIDE = 32  # pixels: what the coarsest map of a backbone needs to have a cell


@dataclass(frozen=True, slots=True)
class Fit:
    """One of three ways, by `kind`:

    `stretch`: to a square of `short` pixels, whatever the shape (OWL-ViT).
    `pad`: black below or to the right until square, then as `stretch` (OWLv2).
    `keep`: the short side to `short`, but the long one to at most `long` (GroundingDINO).
    """

    kind: Literal["stretch", "pad", "keep"]
    short: int
    long: int = 0
    normalization: Normalization = CLIP_COLORS
    smooth: Image.Resampling = Image.Resampling.BICUBIC

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) in pixels of what the network is shown of a patch of this size."""
        if self.kind != "keep":
            return self.short, self.short
        scale = min(self.short / min(width, height), self.long / max(width, height))
        made = [max(LEAST_SIDE, round(side * scale)) for side in (width, height)]
        return made[0], made[1]

    def pixels(self, image: Image.Image, box: IntBox | None = None) -> np.ndarray:
        """(3, H, W) float32 of a region, normalized; `box=None`: of the whole image."""
        box = box or (0, 0, *image.size)
        size = self.size(box[2] - box[0], box[3] - box[1])
        anchor: Anchor | None = "top_left" if self.kind == "pad" else None
        made = region_bytes(to_rgb(image), box, size, self.smooth, anchor, FILL)
        return normalize_bytes(made, self.normalization)

    def frame(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) in patch pixels of what boxes are relative to: the patch, or the square
        it was padded to.
        """
        side = max(width, height)
        return (side, side) if self.kind == "pad" else (width, height)

    def to_patch(
        self, boxes_cxcywh: np.ndarray, width: int, height: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """(N, 4) relative boxes -> (M, 4) xyxy in patch pixels, and (N,) which of them those are.

        A box with its center in the padding is none of the patch; others are cut at its edges.
        """
        across, down = self.frame(width, height)
        center = boxes_cxcywh[:, :2] * [across, down]
        half = boxes_cxcywh[:, 2:] * [across / 2, down / 2]
        inside = (center[:, 0] < width) & (center[:, 1] < height)
        boxes = np.concatenate([center - half, center + half], axis=1)[inside]
        boxes = np.clip(boxes, 0, [width, height, width, height])
        return boxes.astype(np.float32), inside
