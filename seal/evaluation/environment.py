"""What a result was made with: versions, code, device, the models' files."""

from __future__ import annotations

import hashlib
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from seal.version import __version__, git_revision

PACKAGES = ("torch", "transformers", "numpy", "pillow", "sentencepiece", "bitsandbytes", "spacy")
_SAMPLE = 1 << 16  # bytes at either end of a weight file


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


def fingerprint(folder: Path) -> str:
    """A hash that tells the weights of model folders apart without reading all of them."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".safetensors", ".json", ".model") or path.name == "training.json":
            continue
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLE))
            if path.stat().st_size > _SAMPLE:
                file.seek(-_SAMPLE, 2)
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()[:16]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
