"""A cue heatmap that stays on its device: callers ask for sums, not for pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from seal.geometry import Box


class DeviceHeat:
    """Mask logits, resized (bilinear, float32) to the patch and clamped at 0 when first needed."""

    def __init__(self, logits: Tensor, width: int, height: int) -> None:
        """logits: (h, w) of a patch of width x height pixels."""
        self.logits = logits.float()
        self.width, self.height = width, height
        self._map: Tensor | None = None
        self._peak: float | None = None
        self._low = 0.0
        self._mass = 0.0

    def peak(self) -> float:
        self._measure()
        assert self._peak is not None
        return self._peak

    def shares(self, regions: Sequence[Box]) -> list[float]:
        heat = self._measure()
        if self._mass <= 0:
            return [0.0] * len(regions)
        shares = []
        for region in regions:
            x0, y0, x1, y1 = region.as_ints()
            inside = heat[y0:y1, x0:x1]
            # Min-max normalization is linear: subtract the floor, and its span cancels.
            mass = float(inside.sum(dtype=torch.float64)) - self._low * inside.numel()
            shares.append(mass / self._mass)
        return shares

    def to_numpy(self) -> np.ndarray:
        return self._measure().cpu().numpy()

    def _measure(self) -> Tensor:
        if self._map is None:
            size = (self.height, self.width)
            resized = F.interpolate(self.logits[None, None], size, mode="bilinear")[0, 0]
            self._map = resized.clamp_(min=0)
        if self._peak is None:
            self._peak = float(self._map.max())
            self._low = float(self._map.min())
            total = float(self._map.sum(dtype=torch.float64))
            # A constant map normalizes to zeros: no mass anywhere.
            flat = self._peak == self._low
            self._mass = 0.0 if flat else total - self._low * self._map.numel()
        return self._map
