"""Why a model of Hugging Face cannot be had, in one line each, from what the library says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def not_had(name: str, error: Exception) -> str:
    said = str(error)
    if "trust_remote_code" in said:
        return needs_code(name)
    if "gated" in said or "401" in said or "403" in said:
        return (
            f"{name} is gated or private: accept its terms on huggingface.co/{name} and log in "
            "with `hf auth login`, or give a folder that holds it"
        )
    if Path(name).is_dir():
        return f"{name}: its config.json cannot be used: {first_line(error)}"
    return (
        f"{name}: neither a model folder here nor to be had from the hub ({first_line(error)}); "
        "give the path of a folder, or fetch it with `hf download` where there is a connection"
    )


def needs_code(name: str) -> str:
    return (
        f"{name} comes with Python code of its own, which is not run unless you trust it: say "
        "trust_remote_code=True, or take a model that transformers knows"
    )


def weights_refused(name: str, error: Exception) -> str:
    folder = Path(name)
    if folder.is_dir() and not any((*folder.glob("*.safetensors"), *folder.glob("*.bin"))):
        return f"{name} holds no weights (*.safetensors): fetch it again"
    if "safetensors" in str(error) and not any(folder.glob("*.safetensors")):
        return (
            f"{name} holds no safetensors weights; pickled ones (.bin) can run any code when they "
            "are read, so they are refused: take a revision with safetensors, or convert them"
        )
    return f"{name}: its weights cannot be loaded ({first_line(error)}); fetch it again"


def first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # Where a package is missing, the library goes on to say how to install any.
    return lines[0].partition(". Check out")[0].rstrip(".") if lines else type(error).__name__


def require_all_weights(name: str | Path, told: Mapping[str, Any]) -> None:
    """`told`: what the library says of loading. Raises a ValueError for weights that were in no
    file: they would be random numbers."""
    if lost := sorted(told["missing_keys"]):
        raise ValueError(
            f"{name}: {len(lost)} of the model's weights are in none of its files, for example "
            f"{lost[0]}; fetch it again"
        )
