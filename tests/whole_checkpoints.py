"""Checkpoints written tensor by tensor from one process: what the parts of many must make up."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from seal.training.checkpoint_store import (
    KINDS,
    META,
    begin_writing,
    checkpoint_name,
    finish_writing,
)
from seal.training.engine import Engine
from seal.training.state import shapes


def whole_tensor(engine: Engine, name: str, kind: str) -> Tensor:
    """One whole float32 tensor of a living engine, by DeepSpeed's own means; collective."""
    parameter = engine.trainable[name]
    if engine.stage == 0:
        if kind == "weights":
            return parameter.detach().clone()
        moment: Tensor = engine.deepspeed.basic_optimizer.state[parameter][kind]
        return moment.detach().clone()
    from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state

    if kind == "weights":
        value = safe_get_full_fp32_param(parameter)
    else:
        value = safe_get_full_optimizer_state(parameter, kind)
    assert value is not None, f"DeepSpeed holds no {kind} of {name}"
    return value.detach().float().cpu().reshape(shapes(engine)[name]).clone()


def write_checkpoint(
    folder: Path, meta: Mapping[str, Any], tensor: Callable[[str, str], Tensor]
) -> Path:
    """`meta` less its checksums; `tensor(name, kind)` is asked for every whole tensor."""
    name = checkpoint_name(meta["step"])
    partial = begin_writing(folder, name)
    checksums = {}
    for kind in KINDS:
        values = {key: tensor(key, kind).float().contiguous().numpy() for key in meta["shapes"]}
        (partial / f"{kind}.safetensors").write_bytes(safetensors_of(values))
        checksums[kind] = {key: zlib.crc32(value.tobytes()) for key, value in values.items()}
    (partial / META).write_text(json.dumps({**meta, "crc32": checksums}, indent=1))
    return finish_writing(folder, name)


def safetensors_of(values: Mapping[str, np.ndarray]) -> bytes:
    """The file that holds float32 arrays one behind the other."""
    header, data = {}, b""
    for name, value in values.items():
        begin, data = len(data), data + value.tobytes()
        header[name] = {
            "dtype": "F32", "shape": list(value.shape), "data_offsets": [begin, len(data)]
        }  # fmt: skip
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data
