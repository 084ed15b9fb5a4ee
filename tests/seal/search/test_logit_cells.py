"""Pixels lie between logits where PyTorch takes them from; their sums are those of brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seal.search import logit_cells
from seal.search.logit_cells import Blocks, block_masses, resized_axis


@pytest.mark.parametrize(
    ("logits", "size"), [(192, 12000), (64, 1582), (192, 100), (7, 7), (1, 9), (9, 1), (30, 31)]
)
def test_pixels_lie_where_resizing_takes_them_from(logits, size):
    axis = resized_axis(logits, size, size)
    ramp = torch.arange(logits, dtype=torch.float32)[None, None]
    expected = F.interpolate(ramp, size=size, mode="linear", align_corners=False)[0, 0].numpy()
    taken = axis.lower * (1 - axis.weight) + axis.upper * axis.weight
    # The kernel's own rounding of the sum, of numbers up to `logits`.
    np.testing.assert_allclose(taken, expected, atol=logits * 2e-7)
    assert (np.diff(taken) >= 0).all() and axis.lower.max() < logits


def test_cells_are_the_runs_of_pixels_between_the_same_logits():
    axis = resized_axis(5, 23, 20)
    runs = np.split(axis.lower, axis.cells[1:])
    assert [len(set(run)) for run in runs] == [1] * len(runs)
    assert [run[0] for run in runs] == sorted({*axis.lower.tolist()})
    assert axis.ends.tolist() == sorted({*axis.cells, *(axis.cells[1:] - 1), 19})


def test_blocks_are_cut_at_the_borders_and_between_the_logits():
    axis = resized_axis(4, 40, 40)  # cells begin at 0, 15, 25 and 35
    blocks = axis.blocks(np.array([3, 20, 30]))
    assert blocks.starts.tolist() == [3, 15, 20, 25]
    assert blocks.stops.tolist() == [15, 20, 25, 30]


@pytest.mark.parametrize("at_once", [1, 50, 1 << 13])
@pytest.mark.parametrize("size", [(37, 29), (60, 200), (5, 90), (3, 2)])
def test_masses_are_the_sums_of_the_positive_parts_pixel_by_pixel(monkeypatch, size, at_once):
    monkeypatch.setattr(logit_cells, "ROWS_AT_ONCE", at_once)
    (height, width), (rows, columns) = size, (7, 9)
    logits = np.random.default_rng(1).standard_normal((rows, columns)).astype(np.float32) * 3
    logits[:2, :2], logits[-1, -1] = 0, 0  # zeros are neither of both signs
    down, across = resized_axis(rows, height, height), resized_axis(columns, width, width)
    y, x = down.blocks(np.array([0, height])), across.blocks(np.array([1, width]))
    masses = block_masses(logits, y, x)
    np.testing.assert_allclose(masses, brute_force(logits, y, x), atol=1e-6)


def brute_force(logits: np.ndarray, y: Blocks, x: Blocks) -> np.ndarray:
    weights = [
        np.eye(count)[axis.lower] * (1 - axis.weight)[:, None]
        + np.eye(count)[axis.upper] * axis.weight[:, None]
        for count, axis in zip(logits.shape, (y.axis, x.axis), strict=True)
    ]
    pixels = np.maximum(weights[0] @ logits.astype(np.float64) @ weights[1].T, 0)
    return np.array(
        [
            [pixels[a:b, c:d].sum() for c, d in zip(x.starts, x.stops, strict=True)]
            for a, b in zip(y.starts, y.stops, strict=True)
        ]
    )
