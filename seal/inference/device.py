"""Where models are put, and what room is left there."""

from __future__ import annotations

import torch


def existing_device(device: str | None = None) -> str:
    """`device`, or for None `cuda` if there is a GPU, else `cpu`.

    Raises:
        ValueError: there is no such device here.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device is None:
        return "cuda" if gpus else "cpu"
    try:
        named = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device={device!r} is none; say cpu, cuda or cuda:1") from error
    if named.type == "cuda" and (named.index or 0) >= gpus:
        has = f"{gpus} GPU{'s' * (gpus > 1)}" if gpus else "no GPU"
        raise ValueError(f"device={device}, but there is {has} here; leave it out or say cpu")
    return device


def free_bytes(device: str) -> int:
    """Memory a device has left; what PyTorch holds there for later counts as left."""
    place = torch.device(device)
    if place.type == "cuda":
        kept = torch.cuda.memory_reserved(place) - torch.cuda.memory_allocated(place)
        return int(torch.cuda.mem_get_info(place)[0]) + kept
    import psutil

    return int(psutil.virtual_memory().available)
