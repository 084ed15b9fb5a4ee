"""A cue heatmap that stays on its device: callers ask for sums, not for pixels.

Must agree with `seal.search.heatmap.NumpyHeat` of the same map; the tolerance is in the test.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from seal.geometry import Box
from seal.ops.maps import resized_map


class DeviceHeat:
    """Mask logits, resized (bilinear, float32) to the patch and clamped at 0 whenever needed.

    A search keeps the heat of every node it visits, and a map of a large photograph takes tens of
    megabytes: only the logits stay, and what `Maps` has room for.
    """

    def __init__(
        self,
        logits: Tensor,
        width: int,
        height: int,
        maps: Maps | None = None,
        extent: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """logits: (h, w) of a square of which a patch of width x height pixels takes `extent`."""
        self._logits = logits.float()
        self._dtype = logits.dtype  # of the model
        self.width, self.height = width, height
        self._extent = extent
        self._maps = maps or Maps()
        self._measured: tuple[float, float, float] | None = None

    def peak(self) -> float:
        return self._measure()[1]

    def shares(self, regions: Sequence[Box]) -> list[float]:
        low, high, total = self._measure()
        # A constant map normalizes to zeros; resizing leaves it constant but for rounding.
        if high - low <= 1e-6 * high:
            return [0.0] * len(regions)
        heat = self._maps.get(self)
        parts = [heat[y0:y1, x0:x1] for x0, y0, x1, y1 in (r.as_ints() for r in regions)]
        sums = torch.stack([part.sum(dtype=torch.float64) for part in parts]).tolist()
        # Min-max normalization is linear: subtract the floor everywhere, and the span cancels.
        mass = total - low * heat.numel()
        return [(s - low * part.numel()) / mass for s, part in zip(sums, parts, strict=True)]

    def to_numpy(self) -> np.ndarray:
        return self._maps.get(self).cpu().numpy()

    def resized(self) -> Tensor:
        """(height, width) float32 on the device, >= 0."""
        resized = resized_map(self._logits, self.height, self.width, self._extent)
        if self._extent != (1.0, 1.0):
            resized = resized.clone()  # or the padding that was cut off stays in memory
        return resized.clamp_(min=0)

    def _measure(self) -> tuple[float, float, float]:
        """Smallest and largest value, and the sum; fetched at once, for each fetch waits."""
        if self._measured is None:
            heat = self._maps.get(self)
            low, high = heat.aminmax()
            sums = heat.sum(dtype=torch.float64), self._logits.sum(dtype=torch.float64)
            numbers = torch.stack([low.double(), high.double(), *sums])
            low_, high_, total, total_logits = numbers.tolist()
            # Of the logits: clamping makes zeros of minus infinity.
            if not math.isfinite(total_logits):
                raise FloatingPointError(
                    f"the search model gives a cue heatmap that is not finite in {self._dtype}; "
                    "load it with dtype=bfloat16 or float32"
                )
            self._measured = low_, high_, total
        return self._measured


class Maps:
    """The maps that were used last, up to a number of bytes; others are made again when needed."""

    def __init__(self, max_bytes: int = 256 << 20) -> None:
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self._recent: OrderedDict[DeviceHeat, Tensor] = OrderedDict()

    def get(self, heat: DeviceHeat) -> Tensor:
        """(height, width) map of `heat`; not to be changed."""
        if heat in self._recent:
            self._recent.move_to_end(heat)
            return self._recent[heat]
        made = heat.resized()
        self._recent[heat] = made
        self.num_bytes += made.nbytes
        while self.num_bytes > self.max_bytes and len(self._recent) > 1:
            self.num_bytes -= self._recent.popitem(last=False)[1].nbytes
        return made
