"""What a model of the hub would take in each precision, without reading its weights."""

from __future__ import annotations

from pathlib import Path

import torch

from seal.inference.hf.load import load_config, load_parts
from seal.inference.hf.memory import expected_need
from seal.models.fit.memory import Need
from seal.models.fit.quantize import QUANTIZATIONS


def needs_by_precision(
    name: str | Path, *, revision: str | None = None, trust_remote_code: bool = False
) -> dict[str, Need]:
    """bf16, int8 and nf4 -> memory for one question at a time. Fetches configuration files alone.

    Raises:
        ValueError: as of `load_hf`.
    """
    code = {"trust_remote_code": trust_remote_code, "revision": revision}
    config = load_config(str(name), code)
    processor, skeleton = load_parts(str(name), config, code)
    return {
        quantization or "bf16": expected_need(
            skeleton, processor, dtype=torch.bfloat16, quantization=quantization
        )
        for quantization in (None, *QUANTIZATIONS)
    }
