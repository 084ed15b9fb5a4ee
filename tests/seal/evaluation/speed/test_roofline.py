"""Arithmetic and memory of products of matrices, counted as they run."""

from __future__ import annotations

import pytest
import torch

from seal.evaluation.speed.roofline import MachineRates, Roofline, measure_rates


@pytest.mark.parametrize("inference", [True, False])
def test_a_linear_layer_counts_its_product_and_nothing_else(inference: bool) -> None:
    layer, given = torch.nn.Linear(32, 48), torch.randn(5, 32)
    with torch.inference_mode(inference), Roofline(MachineRates(1e6, 1e9)) as counted:
        torch.nn.functional.gelu(layer(given))
    assert counted.flops == 2 * 5 * 32 * 48
    held = 4 * (5 * 32 + 32 * 48 + 5 * 48)
    assert held <= counted.num_bytes <= held + 4 * 48  # with the bias
    assert counted.seconds == pytest.approx(counted.flops / 1e6)


def test_memory_bounds_what_is_little_arithmetic() -> None:
    rates = MachineRates(1e15, 1e3)
    matrix, vector = torch.randn(64, 64), torch.randn(64, 1)
    with Roofline(rates) as counted:
        matrix @ vector
    assert counted.seconds == pytest.approx(counted.num_bytes / 1e3)


def test_attention_and_convolution_count() -> None:
    query = torch.randn(1, 2, 7, 8)
    with torch.inference_mode(), Roofline(MachineRates(1.0, 1.0)) as counted:
        torch.nn.functional.scaled_dot_product_attention(query, query, query)
    assert counted.flops == 2 * 2 * 2 * 7 * 7 * 8
    with torch.inference_mode(), Roofline(MachineRates(1.0, 1.0)) as counted:
        torch.nn.functional.conv2d(torch.randn(1, 3, 8, 8), torch.randn(4, 3, 4, 4), stride=4)
    assert counted.flops == 2 * 4 * 4 * 3 * 4 * 4


def test_a_machine_has_rates() -> None:
    rates = measure_rates("cpu", torch.float32)
    assert rates.flops > 1e8 and rates.bandwidth > 1e7
