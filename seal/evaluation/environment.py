"""What a result was made with: versions, code, device."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from typing import Any

from seal.version import __version__, git_revision

PACKAGES = ("torch", "transformers", "numpy", "pillow", "sentencepiece", "bitsandbytes", "spacy")


def environment(device: str) -> dict[str, Any]:
    """Versions, git revision and device, for environment.json."""
    import torch

    name = device
    if device.startswith("cuda") and torch.cuda.is_available():
        name = torch.cuda.get_device_name(torch.device(device))
    return {
        "seal": __version__,
        "git": git_revision(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "device": device,
        "device_name": name,
        "cuda": torch.version.cuda,
        "threads": torch.get_num_threads(),
        "command": sys.argv,
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
