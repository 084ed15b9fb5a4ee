"""Where the golden vectors and the sample data are, and markers that skip tests without them."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared"
GOLDENS = Path(os.environ.get("SEAL_GOLDENS", _SHARED / "goldens"))
SAMPLES = Path(os.environ.get("SEAL_SAMPLES", _SHARED / "data"))

needs_goldens = pytest.mark.skipif(
    not GOLDENS.is_dir(), reason=f"no golden vectors in {GOLDENS}; set SEAL_GOLDENS to their folder"
)
needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"no sample data in {SAMPLES}; set SEAL_SAMPLES to its folder"
)


def golden_path(name: str) -> Path:
    """A file of the golden set; skips the calling test when there is no golden set at all."""
    if not GOLDENS.is_dir():
        pytest.skip(f"no golden vectors in {GOLDENS}; set SEAL_GOLDENS to their folder")
    return GOLDENS / name


@cache
def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def golden_json(name: str) -> Any:
    """`<name>.json`, parsed once and shared: do not change it. `name` may hold a folder."""
    return _read_json(golden_path(f"{name}.json"))


@cache
def _read_tensors(path: Path, framework: str) -> dict[str, Any]:
    if framework == "numpy":
        from safetensors.numpy import load_file as load_numpy

        return dict(load_numpy(path))
    from safetensors.torch import load_file as load_torch

    return dict(load_torch(path))


def golden_tensors(name: str) -> dict[str, Any]:
    """`<name>.safetensors` as torch tensors, read once and shared: clone before changing."""
    return _read_tensors(golden_path(f"{name}.safetensors"), "torch")


def golden_arrays(name: str) -> dict[str, Any]:
    """`<name>.safetensors` as numpy arrays, read once and shared: copy before changing."""
    return _read_tensors(golden_path(f"{name}.safetensors"), "numpy")


def golden_cases(name: str, *keys: str) -> list[Any]:
    """The list at `keys` of `<name>.json`, for `parametrize`; empty without a golden set."""
    if not GOLDENS.is_dir():
        return []
    value = golden_json(name)
    for key in keys:
        value = value[key]
    return list(value)
