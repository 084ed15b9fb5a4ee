"""Sums on the device agree with the numpy reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from seal.geometry import Box
from seal.inference.guides.device_heat import DeviceHeat, Maps
from seal.search.heatmap import NumpyHeat
from seal.search.tree import split


@pytest.mark.parametrize(("width", "height"), [(61, 40), (300, 301), (500, 120)])
@pytest.mark.parametrize("offset", [0.0, 5.0, -5.0])
def test_shares_and_peak_equal_the_reference_map(width, height, offset):
    logits = torch.randn(16, 16, generator=torch.Generator().manual_seed(width)) * 3 + offset
    resized = F.interpolate(logits[None, None], (height, width), mode="bilinear")[0, 0]
    reference = NumpyHeat(resized.clamp(min=0).numpy())
    heat = DeviceHeat(logits, width, height)
    regions = [r for cell in split(Box(0, 0, width, height)) for r in [cell, *split(cell)]]
    assert heat.peak() == pytest.approx(reference.peak(), abs=1e-6)
    # Measured: 4e-7; the reference sums in float32, this one in float64.
    np.testing.assert_allclose(heat.shares(regions), reference.shares(regions), atol=2e-6)
    np.testing.assert_array_equal(heat.to_numpy(), reference.to_numpy())


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
def test_a_map_that_is_not_finite_stops_the_search_and_names_the_precision(wrong):
    logits = torch.zeros(8, 8, dtype=torch.float16)
    logits[3, 4] = wrong
    heat = DeviceHeat(logits, 40, 30)
    with pytest.raises(FloatingPointError, match=r"not finite in torch\.float16; load it with"):
        heat.peak()
    with pytest.raises(FloatingPointError, match="not finite"):
        heat.shares([Box(0, 0, 20, 30)])


def test_a_map_without_a_positive_logit_has_no_mass():
    heat = DeviceHeat(torch.full((4, 4), -1.0), 20, 10)
    assert heat.peak() == 0
    assert heat.shares([Box(0, 0, 20, 10)]) == [0.0]


def test_maps_that_were_let_go_are_made_again_and_the_same():
    maps = Maps(max_bytes=2 * 30 * 20 * 4)
    logits = torch.randn(5, 8, 8, generator=torch.Generator().manual_seed(1))
    heats = [DeviceHeat(each, 30, 20, maps) for each in logits]
    regions = split(Box(0, 0, 30, 20))
    first = [heat.shares(regions) for heat in heats]
    assert maps.num_bytes <= maps.max_bytes
    assert [heat.shares(regions) for heat in heats] == first
    assert [heat.shares(regions) for heat in reversed(heats)] == first[::-1]


def test_a_constant_map_has_no_shares_as_in_the_reference():
    heat = DeviceHeat(torch.full((4, 4), 2.0), 20, 10)
    reference = NumpyHeat(np.full((10, 20), 2.0, np.float32))
    assert heat.peak() == reference.peak() == 2.0
    assert heat.shares([Box(0, 0, 5, 5)]) == reference.shares([Box(0, 0, 5, 5)]) == [0.0]
