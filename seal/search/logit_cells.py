"""The pixels that lie between four neighbouring logits of a map, and their sums in closed form.

A resized map is bilinear there, along one row of pixels linear.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

ROWS_AT_ONCE = 1 << 13  # pixel rows of cells measured together: what fits a core's cache


@dataclass(frozen=True, slots=True)
class Axis:
    """Where the pixels of one direction lie between the logits: n pixels, cells between logits."""

    lower: np.ndarray  # (n,) the logit before a pixel
    upper: np.ndarray  # (n,) and the one behind it
    weight: np.ndarray  # (n,) float64 in [0, 1]: how far it is from the former to the latter
    sums: np.ndarray  # (n + 1,) of the weights of all pixels before
    cells: np.ndarray  # (cells,) the first pixel of each cell in which there are any
    ends: np.ndarray  # the first and the last pixel of each cell, ascending
    scale: float  # logits a pixel

    def blocks(self, borders: np.ndarray) -> Blocks:
        """The cells between the first and the last border, cut at the borders."""
        inside = (self.cells > borders[0]) & (self.cells < borders[-1])
        starts = distinct(np.concatenate([self.cells[inside], borders[:-1]]))
        return Blocks(self, starts, np.append(starts[1:], borders[-1]))


@dataclass(frozen=True, slots=True)
class Blocks:
    """Runs of pixels along an axis, each within one cell."""

    axis: Axis
    starts: np.ndarray  # (b,)
    stops: np.ndarray  # (b,) exclusive

    @property
    def counts(self) -> np.ndarray:
        return self.stops - self.starts


@lru_cache(maxsize=32)
def resized_axis(logits: int, size: int, kept: int) -> Axis:
    """`logits` resized to `size` pixels, of which the first `kept` are used."""
    if logits == size:
        position = np.arange(kept, dtype=np.float32)
        scale = np.float32(1)
    else:
        # In float32 as PyTorch does, product and difference rounded once: without that, weights
        # are 1e-5 off where there are 200 logits.
        scale = np.float32(logits) / np.float32(size)
        position = (np.float64(scale) * (np.arange(kept) + 0.5) - 0.5).astype(np.float32).clip(0)
    lower = position.astype(np.intp).clip(max=logits - 1)
    weight = (position - lower.astype(np.float32)).clip(0, 1).astype(np.float64)
    sums = np.concatenate([[0.0], weight.cumsum()])
    cells = np.flatnonzero(np.diff(lower, prepend=-1))
    ends = distinct(np.concatenate([cells, np.append(cells[1:], kept) - 1]))
    upper = (lower + 1).clip(max=logits - 1)
    return Axis(lower, upper, weight, sums, cells, ends, float(scale))


def block_masses(logits: np.ndarray, rows: Blocks, columns: Blocks) -> np.ndarray:
    """(rows, columns) float64: the sum of max(0, pixel) over each block of pixels."""
    low_y, high_y = rows.axis.lower[rows.starts], rows.axis.upper[rows.starts]
    low_x, high_x = columns.axis.lower[columns.starts], columns.axis.upper[columns.starts]
    far_y, far_x = _weight_sums(rows)[:, None], _weight_sums(columns)
    near_y, near_x = rows.counts[:, None] - far_y, columns.counts - far_x
    summed = logits[low_y] * near_y + logits[high_y] * far_y  # (rows, w) over the pixels of a block
    masses: np.ndarray = summed[:, low_x] * near_x + summed[:, high_x] * far_x
    positive = logits > 0
    some, all_ = positive[low_y] | positive[high_y], positive[low_y] & positive[high_y]
    some, all_ = some[:, low_x] | some[:, high_x], all_[:, low_x] & all_[:, high_x]
    masses *= all_
    y, x = np.nonzero(some & ~all_)
    step = max(1, ROWS_AT_ONCE // int(rows.counts.max()))
    for start in range(0, len(y), step):
        part = slice(start, start + step)
        masses[y[part], x[part]] = _mixed_masses(logits, rows, columns, y[part], x[part])
    return masses


def _mixed_masses(
    logits: np.ndarray, rows: Blocks, columns: Blocks, y: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """(k,): what `block_masses` says of the blocks y, x (k,), which the map's zero line may cross.

    Along one row of pixels the map is linear: its positive part ends or begins at its zero.
    """
    across = columns.axis
    low_y, high_y = rows.axis.lower[rows.starts[y]], rows.axis.upper[rows.starts[y]]
    low_x, high_x = across.lower[columns.starts[x]], across.upper[columns.starts[x]]
    start, stop = columns.starts[x][:, None], columns.stops[x][:, None]
    counts = rows.counts[y][:, None]
    step = np.arange(int(counts.max()))
    weight = rows.axis.weight.take(rows.starts[y][:, None] + step, mode="clip")  # (k, rows)
    corners = [
        logits[i, j].astype(np.float64)[:, None] for i in (low_y, high_y) for j in (low_x, high_x)
    ]
    left = corners[0] + weight * (corners[2] - corners[0])
    slope = corners[1] - corners[0] + weight * (corners[3] - corners[1] - corners[2] + corners[0])
    slope[slope == 0] = 1e-300  # its zero is then far away, on the right side
    with np.errstate(over="ignore"):
        zero = left / -slope  # as a weight, then in pixels
        pixels = zero / across.scale + ((low_x + 0.5) / across.scale - 0.5)[:, None]
    # Before the cell: the first one has pixels that are clipped to its edge.
    pixels[zero < 0] = -1
    # Rounding may put a pixel on the wrong side; its value is then nothing but rounding as well.
    cut = np.ceil(pixels, out=pixels).clip(start, stop).astype(np.intp)
    before = left * (cut - start) + slope * (across.sums[cut] - across.sums[start])
    whole = left * (stop - start) + slope * (across.sums[stop] - across.sums[start])
    sums: np.ndarray = np.where(slope > 0, whole - before, before)
    return sums.sum(1, where=step < counts).clip(0)


def _weight_sums(blocks: Blocks) -> np.ndarray:
    sums = blocks.axis.sums
    difference: np.ndarray = sums[blocks.stops] - sums[blocks.starts]
    return difference


def distinct(numbers: np.ndarray) -> np.ndarray:
    """Ascending, each once; `np.unique` takes several times as long for so few."""
    numbers = np.sort(numbers, axis=None)
    kept: np.ndarray = numbers[np.concatenate([[True], numbers[1:] != numbers[:-1]])]
    return kept
