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
# Bytes a parameter: LLM weights in the named precision, everything else (heads, projectors,
# decoders, towers) in bfloat16, as the loader keeps them.
LLM_BYTES = {"bf16": 2.0, "int8": 1.0, "nf4": 0.5 + 0.5 / 8}
ACTIVATION_GIB = 1.5  # key-value cache of 2048 positions plus working space, both models in turn


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
    where = "GPU" if devices else "host memory"
    print(f"both models for inference, estimated GiB (fits {room:.0f} GiB of {where}?):")
    for size in ("7b", "13b", "miniature"):
        cells = []
        for precision, per_parameter in LLM_BYTES.items():
            need = _weights_gib(size, per_parameter) + (
                0.1 if size == "miniature" else ACTIVATION_GIB
            )
            cells.append(f"{precision} {need:6.2f} {'yes' if need < room * 0.95 else 'no ':<3}")
        print(f"  {size:<10} " + "   ".join(cells))
    return 0


def _weights_gib(size: str, llm_bytes: float) -> float:
    """Weights of both models; built on the meta device, so nothing is allocated."""
    import torch

    from seal.models.presets import vqa_preset, vsm_preset

    with torch.device("meta"):
        models = [vqa_preset(size).build(), vsm_preset(size).build()]
    total = 0.0
    for model in models:
        for name, parameter in model.named_parameters():
            quantized = name.startswith("llm.") and ".layers." in name and parameter.ndim == 2
            total += parameter.numel() * (llm_bytes if quantized else 2.0)
    return total / 2**30
