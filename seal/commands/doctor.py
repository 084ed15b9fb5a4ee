"""`seal doctor`: versions, devices, memory, and which presets fit in which precision."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import sys
from typing import Any

PACKAGES = (
    *("torch", "transformers", "tokenizers", "sentencepiece", "peft", "deepspeed", "bitsandbytes"),
    *("accelerate", "datasets", "hydra-core", "wandb", "scipy", "numpy", "pillow", "pycocotools"),
    *("textblob", "spacy"),
)


def add_doctor(commands: Any) -> None:
    parser = commands.add_parser("doctor", help="what this machine has and which models fit it")
    parser.set_defaults(run=doctor)


def doctor(arguments: argparse.Namespace) -> int:
    """Print what a bug report or a first visit needs."""
    import psutil
    import torch

    print(f"python {platform.python_version()} at {sys.executable}")
    for name in PACKAGES:
        try:
            print(f"  {name:<14} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            print(f"  {name:<14} not installed")
    memory = psutil.virtual_memory()
    host_gib = memory.total / 2**30
    print(
        f"host: {psutil.cpu_count()} cores, {host_gib:.1f} GiB, {memory.available / 2**30:.1f} free"
    )
    devices = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    for index, device in enumerate(devices):
        print(f"cuda:{index}: {device.name}, {device.total_memory / 2**30:.1f} GiB")
    if not devices:
        print("no CUDA device: the miniature and inference on the CPU run here")
    room = max((device.total_memory / 2**30 for device in devices), default=host_gib)
    where = "GPU" if devices else "host memory, with --dtype bfloat16"
    print(f"both models for one question at a time, GiB (fits {room:.0f} GiB of {where}?):")
    for size in ("7b", "13b", "miniature"):
        cells = []
        for name, need in _needs(size).items():
            fits = "yes" if need < room * 0.95 else "no"
            cells.append(f"{name} {need:6.2f} {fits:<3}")
        print(f"  {size:<10} " + "   ".join(cells))
    return 0


def _needs(size: str) -> dict[str, float]:
    """GiB by precision; the models are built on the meta device, so nothing is allocated."""
    import torch

    from seal.models.fit.memory import Setting, expected_need
    from seal.models.presets import vqa_preset, vsm_preset

    configs: tuple[Any, ...] = (vqa_preset(size), vsm_preset(size))
    return {
        quantization or "bf16": expected_need(
            configs, Setting(torch.bfloat16, quantization), shared_tower=True
        ).total
        / 2**30
        for quantization in (None, "int8", "nf4")
    }
