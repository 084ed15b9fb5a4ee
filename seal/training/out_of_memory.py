"""What to do when a GPU's memory is used up: the settings that would help this very run."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from seal.training.distributed import World
from seal.training.recipe import VQARun, VSMRun


class OutOfMemoryError(MemoryError):
    """A GPU's memory did not suffice; says which settings would help."""


@contextmanager
def explained(run: VQARun | VSMRun, world: World) -> Iterator[None]:
    """Turn what torch says of a full GPU into what a user can do.

    Raises:
        OutOfMemoryError: names the settings that would help and are not used yet.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        resumable, others = remedies(run)
        text = (
            f"rank {world.rank} on {socket.gethostname()} is out of GPU memory"
            f"{_peak(world.device)}; the same command goes on from the last checkpoint, with any "
            f"of these added, the first ones cost the least: {', '.join(resumable) or 'none left'}"
        )
        if others:
            text += f"; a run of another name can also use: {', '.join(others)}"
        first = str(error).partition("\n")[0][:200]
        raise OutOfMemoryError(f"{text} (torch: {first})") from error


def remedies(run: VQARun | VSMRun) -> tuple[list[str], list[str]]:
    """Settings that would help: such that a checkpoint can go on with, and such that it cannot."""
    train, zero = run.train, run.deepspeed.get("zero_optimization", {})
    stage = int(zero.get("stage", 0))
    offloaded = zero.get("offload_optimizer", {}).get("device") == "cpu"
    resumable: list[str] = []
    others: list[str] = []
    # Of a router alone no gradient goes through the language model: its state is not what fills.
    router = isinstance(run, VQARun) and run.stage == "router"
    if not train.gradient_checkpointing and not router:
        resumable.append("train.gradient_checkpointing=true")
    elif train.recompute_every > 1:
        resumable.append("train.recompute_every=1")
    if train.micro_batch_size > 1:
        smaller = f"train.micro_batch_size={train.micro_batch_size // 2}"
        same_objective = getattr(train, "averaging", "micro_batch") == "step"
        (resumable if same_objective else others).append(smaller)
    if stage < 2:
        resumable.append("deepspeed=zero2")
    if stage < 3:
        resumable.append("deepspeed=zero3")
    if not offloaded and not router:
        resumable.append(f"deepspeed=zero{max(stage, 2)}_offload")
    if router:
        return resumable, others
    if train.optimizer != "adamw_8bit" and not offloaded:
        others.append("train.optimizer=adamw_8bit")
    if run.lora is None:
        others.append("lora (adapters instead of a full fine-tune)")
    elif run.quantization is None:
        others.append("quantization=nf4 (QLoRA)")
    return resumable, others


def _peak(device: torch.device) -> str:
    if device.type != "cuda":
        return ""
    peak = torch.cuda.max_memory_allocated(device) / 2**30
    total = torch.cuda.get_device_properties(device).total_memory / 2**30
    return f" (peak {peak:.1f} GiB of {total:.1f})"
