"""`seal doctor`: versions, devices, memory, which presets fit, and what to do next."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import sys
from typing import Any

from seal.commands.doctor_advice import FITS, next_steps, surroundings

PACKAGES = (
    *("torch", "transformers", "tokenizers", "sentencepiece", "peft", "deepspeed", "bitsandbytes"),
    *("accelerate", "datasets", "hydra-core", "wandb", "scipy", "numpy", "pillow", "pycocotools"),
    *("textblob", "spacy"),
)


def add_doctor(commands: Any) -> None:
    parser = commands.add_parser("doctor", help="what this machine has and which models fit it")
    parser.add_argument(
        "--vqa", metavar="NAME",
        help="tell of this image-text model too (folder or hub id); fetches no weights",
    )  # fmt: skip
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="run code that comes with the model"
    )
    parser.set_defaults(run=doctor)


def doctor(arguments: argparse.Namespace) -> int:
    """Print what a bug report or a first visit needs."""
    import psutil
    import torch

    from seal.models.presets import vqa_preset

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
        _tell(size, _needs(size), room)
    print("AVG-LLaVA for one question at a time, at its finest:")
    for size in ("avg_7b", "avg_13b"):
        _tell(size, _of_ours((vqa_preset(size),)), room)
    if arguments.vqa is not None:
        print(f"{arguments.vqa}, as the answer model alone:")
        _tell("", _needs_of(arguments.vqa, arguments.trust_remote_code), room)
    for line in surroundings():
        print(line)
    print("next:")
    for line in next_steps(_needs("7b") if devices else {}, room):
        print(f"  {line}")
    return 0


def _tell(name: str, needs: dict[str, float], room: float) -> None:
    cells = []
    for precision, need in needs.items():
        fits = "yes" if need < room * FITS else "no"
        cells.append(f"{precision} {need:6.2f} {fits:<3}")
    print(f"  {name:<10} " + "   ".join(cells))


def _needs_of(name: str, trust_remote_code: bool) -> dict[str, float]:
    """GiB by precision, of any answer model.

    Raises:
        ValueError: it is no image-text model, or a server, whose memory is its own affair.
    """
    from seal.inference.hub import model_folder
    from seal.inference.model_kinds import model_kind

    kind = model_kind(name)
    if kind == "endpoint":
        raise ValueError(f"--vqa {name} is a server: its memory is not this machine's")
    if kind == "hf":
        from seal.inference.hf.needs import needs_by_precision

        needs = needs_by_precision(name, trust_remote_code=trust_remote_code)
        return {precision: need.total / 2**30 for precision, need in needs.items()}
    from seal.models.files.load import read_config

    return _of_ours((read_config(model_folder(name)),))


def _needs(size: str) -> dict[str, float]:
    """GiB by precision of both models of a preset."""
    from seal.models.presets import vqa_preset, vsm_preset

    return _of_ours((vqa_preset(size), vsm_preset(size)))


def _of_ours(configs: tuple[Any, ...]) -> dict[str, float]:
    """The models are built on the meta device, so nothing is allocated."""
    import torch

    from seal.models.fit.memory import Setting, expected_need

    return {
        quantization or "bf16": expected_need(
            configs, Setting(torch.bfloat16, quantization), shared_tower=True
        ).total
        / 2**30
        for quantization in (None, "int8", "nf4")
    }
