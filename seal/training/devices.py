"""What GPUs can do: memory, and how fast they multiply in bfloat16."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

# What an H200 sustains in large products, 790 of its datasheet's 989; taken for the others too,
# until they are measured.
SUSTAINED_SHARE = 0.8
# Of the CUDA context, NCCL's buffers and what the allocator cannot use, in GiB.
RESERVED_GIB = 2.0


@dataclass(frozen=True, slots=True)
class Device:
    """One kind of GPU."""

    name: str
    memory_gib: float  # in all, as PyTorch reports it
    datasheet_tflops: float  # dense bfloat16, sums in float32
    pattern: str  # of the name PyTorch reports
    measured_tflops: float | None = None  # the best of large products; None: not measured

    @property
    def usable_gib(self) -> float:
        """What tensors can take."""
        return self.memory_gib - RESERVED_GIB

    @property
    def peak_tflops(self) -> float:
        """What large products sustain: measured, or the datasheet's figure times 0.8."""
        return self.measured_tflops or SUSTAINED_SHARE * self.datasheet_tflops


DEVICES = (
    Device("RTX 4090 24", 23.6, 165, r"RTX 4090$"),
    Device("A100 40", 39.4, 312, r"A100.*40GB"),
    Device("L40S 48", 44.4, 362, r"L40S"),
    Device("A100 80", 79.2, 312, r"A100.*80GB"),
    Device("H100 80", 79.1, 989, r"H100 80GB HBM3"),  # the PCIe and NVL cards are other ones
    Device("H800 80", 79.1, 989, r"H800"),
    Device("H200 141", 139.8, 989, r"H200", measured_tflops=790),
    Device("B200 180", 178.3, 2250, r"B200\b"),
)


def device_named(name: str) -> Device | None:
    """The one PyTorch calls `name` (torch.cuda.get_device_name); None: not in the table."""
    return next((device for device in DEVICES if re.search(device.pattern, name)), None)


def peak_tflops(device: torch.device) -> float | None:
    """Of the GPU in use, in bfloat16; None: a CPU, or a GPU that is not in the table."""
    if device.type != "cuda":
        return None
    found = device_named(torch.cuda.get_device_name(device))
    return None if found is None else found.peak_tflops
