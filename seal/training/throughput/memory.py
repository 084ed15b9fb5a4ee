"""Memory of a piece: the most it took, of the GPU or without one of the machine, and foretold."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch

from seal.models.vqa import VQAModel
from seal.models.vsm import VSM
from seal.resident import STATUS, peak_resident, status_bytes
from seal.training.activations import Load
from seal.training.config import TrainConfig
from seal.training.engine import fused_adamw
from seal.training.memory import Setting, step_need
from seal.training.throughput.recipes import Recipe


def held_before(device: torch.device) -> int:
    """Bytes this process holds already, libraries alone; the peak is counted anew from here."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    with suppress(OSError):  # another system, or a container that forbids it: of all its time then
        STATUS.with_name("clear_refs").write_text("5")
    return status_bytes("VmRSS") or 0


def memory_report(device: torch.device, before: int, predicted: float) -> dict[str, Any]:
    """Bytes. `reserved`: what PyTorch took from the GPU; None on a CPU."""
    peak, reserved = peak_resident(), None
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device)
        reserved = torch.cuda.max_memory_reserved(device)
    return {
        "before": before, "peak": peak, "reserved": reserved, "predicted": before + predicted,
    }  # fmt: skip


def predicted_peak(
    model: VQAModel | VSM, load: Load, recipe: Recipe, train: TrainConfig,
    document: Mapping[str, Any], *, processes: int, device: torch.device, quantization: str | None,
) -> float:  # fmt: skip
    """What a step's worst moment needs, as the dry run tells it.

    Args:
        model: on the meta device: weights that ZeRO-3 has taken apart tell no sizes.
        load: of the largest micro-batch.
    """
    if recipe.all_logits:
        load = replace(load, supervised=load.positions)
    offload = document.get("zero_optimization", {}).get("offload_optimizer", {}).get("device")
    setting = Setting.of(
        train, document, processes, fused=fused_adamw(device, train.bf16, offload)
    )  # fmt: skip
    return step_need(model, load, setting, train, quantization).peak
