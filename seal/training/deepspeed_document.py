"""The DeepSpeed document of a run: completed from `train`, refused where it contradicts it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch

from seal.training.config import TrainConfig


def complete_document(
    config: dict[str, Any], train: TrainConfig, accumulation: int
) -> dict[str, Any]:
    """The DeepSpeed document with batch sizes; a number that contradicts `train` is an error."""
    document = copy.deepcopy(config)
    derived = {
        "train_batch_size": train.global_batch_size,
        "train_micro_batch_size_per_gpu": train.micro_batch_size,
        "gradient_accumulation_steps": accumulation,
    }
    for key, value in derived.items():
        if document.setdefault(key, value) != value:
            raise ValueError(
                f"deepspeed.{key}={document[key]} contradicts train, which says {value}"
            )
    if "optimizer" in document or "scheduler" in document:
        raise ValueError(
            "deepspeed.optimizer and deepspeed.scheduler are not used: AdamW and its schedule "
            "are set under train"
        )
    bf16 = document.setdefault("bf16", {"enabled": train.bf16})
    if bool(bf16.get("enabled")) != train.bf16:
        raise ValueError(f"deepspeed.bf16.enabled={bf16.get('enabled')} contradicts train.bf16")
    document.setdefault("gradient_clipping", train.gradient_clipping)
    if train.bf16 and accumulation > 1:
        _sum_in_float32(document, bf16)
    # torch's AdamW is not on DeepSpeed's list for CPU offload; it runs there all the same.
    document.setdefault("zero_allow_untested_optimizer", True)
    document.setdefault("zero_force_ds_cpu_optimizer", False)
    return document


def _sum_in_float32(document: dict[str, Any], bf16: dict[str, Any]) -> None:
    """Unless the document says otherwise: in bfloat16, 8 gradients are off by 0.3%, 32 by 0.7%."""
    kind = document.setdefault("data_types", {}).setdefault("grad_accum_dtype", "fp32")
    if stage_of(document) != 1 or kind != "fp32":
        return
    if offload_of(document):
        raise ValueError(
            "deepspeed: ZeRO 1 with offload_optimizer adds up gradients in bfloat16 whatever "
            "data_types.grad_accum_dtype says: use deepspeed=zero2_offload, or "
            "+deepspeed.data_types.grad_accum_dtype=bf16 to accept it"
        )
    # ZeRO 1 then runs an optimizer that can add each gradient as it becomes ready, and that talks
    # once a step: in float32 as well.
    bf16.setdefault("immediate_grad_update", True)
    document.setdefault("communication_data_type", "fp32")


def stage_of(document: Mapping[str, Any]) -> int:
    """Of ZeRO; 0: none."""
    return int(document.get("zero_optimization", {}).get("stage", 0))


def offload_of(document: Mapping[str, Any]) -> str | None:
    """Where AdamW and its state are kept instead of the GPU; None: they are on it."""
    device = document.get("zero_optimization", {}).get("offload_optimizer", {}).get("device")
    return None if device in (None, "none") else str(device)


def set_buckets(document: dict[str, Any], optimizer: torch.optim.Optimizer) -> None:
    """Let gradients travel in buckets of about a group: DeepSpeed's 500 M hold a small model whole.

    A bucket is a copy, and two are in use where communication overlaps.
    """
    zero = document.get("zero_optimization")
    if zero:
        sizes = [sum(p.numel() for p in g["params"]) for g in optimizer.param_groups]
        zero.setdefault("reduce_bucket_size", min(500_000_000, max(sizes)))
