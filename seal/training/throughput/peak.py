"""How fast the device multiplies, measured: what the model's arithmetic is compared with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch

from seal.training.devices import device_named

_SIDES = {"cuda": 8192, "cpu": 1024}
_SECONDS = 0.5  # that it takes, about


def utilization(
    figures: Mapping[str, Any], device: torch.device, dtype: torch.dtype, told: float | None
) -> dict[str, Any]:
    """`mfu` and its kin, of a piece's `tflops` and `tflops_with_recomputation`.

    Args:
        told: train.peak_tflops, which wins over what the table of devices says was measured, and
            that over what is measured here.
    """
    measured = measured_tflops(device, dtype)
    known = None
    if device.type == "cuda" and dtype == torch.bfloat16:
        known = device_named(torch.cuda.get_device_name(device))
    peak = told or (known and known.measured_tflops) or measured
    sheet = None if known is None else known.datasheet_tflops
    return {
        "peak_tflops": {"used": peak, "measured_here": measured, "datasheet": sheet},
        "mfu": figures["tflops"] / peak,
        "utilization_with_recomputation": figures["tflops_with_recomputation"] / peak,
        "of_datasheet": None if sheet is None else figures["tflops"] / sheet,
    }


def measured_tflops(device: torch.device, dtype: torch.dtype) -> float:
    """The best of several products of two square matrices, in 1e12 operations a second."""
    side = _SIDES.get(device.type, 1024)
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    best, began = float("inf"), time.perf_counter()
    while time.perf_counter() - began < _SECONDS:
        wait(device)
        started = time.perf_counter()
        for _ in range(4):
            left @ right
        wait(device)
        best = min(best, (time.perf_counter() - started) / 4)
    return 2.0 * side**3 / best / 1e12


def wait(device: torch.device) -> None:
    """Until a GPU has done what it was given; what is timed starts and ends with this."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
