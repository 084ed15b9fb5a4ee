"""Checkpoints on disk: complete or absent, plain safetensors and JSON.

    checkpoints/step-00000500/
        checkpoint.json                   step, configuration, shapes, checksums
        weights.safetensors               float32 master weights of what is trained
        exp_avg.safetensors  exp_avg_sq.safetensors        AdamW's state

The schedule, the position in the data and every random number are functions of the seed and the
step, so the step is all that has to be stored of them.
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from seal.files.whole import write_whole
from seal.training import state
from seal.training.checkpoint_store import (
    FORMAT,
    KINDS,
    META,
    begin_writing,
    checkpoint_name,
    checkpoint_names,
    finish_writing,
    read_meta,
    rotate,
)
from seal.training.engine import Engine
from seal.training.same_run import require_same_shapes


def read_description(checkpoint: Path) -> dict[str, Any]:
    """What the run that wrote it was, as it was passed to `save_checkpoint`."""
    description: dict[str, Any] = read_meta(checkpoint)["config"]
    return description


def read_step(checkpoint: Path) -> int:
    """Optimizer steps done when it was written."""
    return int(read_meta(checkpoint)["step"])


def read_shapes(checkpoint: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor that was trained."""
    return {name: tuple(shape) for name, shape in read_meta(checkpoint)["shapes"].items()}


def iterate_weights(checkpoint: Path) -> Iterator[tuple[str, Tensor]]:
    """The float32 weights of what was trained, by the model's own names; one at a time."""
    yield from _iterate(checkpoint, read_meta(checkpoint), "weights")


def read_weights(checkpoint: Path) -> dict[str, Tensor]:
    """As `iterate_weights`, all of them in memory."""
    return dict(iterate_weights(checkpoint))


def save_checkpoint(
    folder: Path, engine: Engine, *, step: int, config: Mapping[str, Any], keep: int
) -> Path:
    """Write the state after `step` updates; a collective call, the first process writes.

    Raises:
        OSError: it does not fit on the disk; the previous checkpoint is untouched.
    """
    shapes = state.shapes(engine)
    meta = {"format": FORMAT, "step": step, "config": config, "shapes": shapes}
    if not engine.world.is_main:
        for kind in KINDS:  # in step with the first process, which gathers and writes
            for name in shapes:
                state.get_tensor(engine, name, kind)
        engine.world.barrier()
        return folder / checkpoint_name(step)
    try:
        written = write_checkpoint(
            folder, meta, lambda name, kind: state.get_tensor(engine, name, kind)
        )
    except (OSError, ValueError) as error:
        need = 4 * len(KINDS) * sum(int(np.prod(s)) for s in shapes.values()) / 2**30
        raise OSError(
            f"cannot write the checkpoint of step {step} to {folder}: {error}; it takes "
            f"{need:.2f} GiB; the earlier ones "
            f"({', '.join(checkpoint_names(folder)) or 'none'}) are intact: make room and start "
            "the same command again"
        ) from error
    rotate(folder, keep, written.name)
    engine.world.barrier()
    return written


def write_checkpoint(
    folder: Path, meta: Mapping[str, Any], tensor: Callable[[str, str], Tensor]
) -> Path:
    """Write under a name that is never read, then rename, then point `latest` at it.

    Whatever kills the process in between, `latest` names a complete checkpoint. Tensors are asked
    for one at a time, so memory holds one of them, not the model.
    """
    name = checkpoint_name(meta["step"])
    partial = begin_writing(folder, name)
    try:
        checksums = {}
        for kind in KINDS:
            tensors = (tensor(name, kind) for name in meta["shapes"])
            path = partial / f"{kind}.safetensors"
            checksums[kind] = _write_safetensors(path, meta["shapes"], tensors)
        write_whole(partial / META, json.dumps({**meta, "crc32": checksums}, indent=1))
    except (OSError, ValueError):
        shutil.rmtree(partial)
        raise
    return finish_writing(folder, name)


def load_checkpoint(checkpoint: Path, engine: Engine) -> int:
    """Overwrite the engine's state with a checkpoint's and return the steps it had done.

    The engine must have taken a step (`Engine.skip_step`), so that its optimizer has a state.

    Raises:
        ValueError: the checkpoint is of another model; names the keys.
    """
    meta = read_meta(checkpoint)
    shapes = state.shapes(engine)
    require_same_shapes(checkpoint, read_shapes(checkpoint), shapes)
    for kind in KINDS:
        for name, tensor in _iterate(checkpoint, meta, kind):
            state.set_tensor(engine, name, kind, tensor)
    state.set_optimizer_step(engine, meta["step"])
    engine.world.barrier()
    return int(meta["step"])


def _iterate(checkpoint: Path, meta: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Tensor]]:
    """The tensors of one kind, in the order of the shapes, their checksums compared."""
    path = checkpoint / f"{kind}.safetensors"
    checksums = meta.get("crc32", {}).get(kind, {})  # older checkpoints have none
    try:
        with safe_open(path, framework="pt") as file:
            for name, shape in meta["shapes"].items():
                tensor = file.get_tensor(name)
                if list(tensor.shape) != list(shape) or tensor.dtype != torch.float32:
                    raise ValueError(f"{name} is {tensor.dtype} {list(tensor.shape)}")
                if checksums and zlib.crc32(tensor.numpy().data) != checksums.get(name):
                    raise ValueError(f"the checksum of {name} is another")
                yield name, tensor
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ValueError(
            f"{path} is damaged: {error}; go on from an earlier checkpoint of {checkpoint.parent} "
            "by writing its name into the file `latest` there"
        ) from error


def _write_safetensors(
    path: Path, shapes: Mapping[str, tuple[int, ...]], tensors: Iterable[Tensor]
) -> dict[str, int]:
    """Write float32 tensors, in the order of `shapes`, as they come; return their checksums."""
    header: dict[str, Any] = {}
    offset = 0
    for name, shape in shapes.items():
        size = 4 * int(np.prod(shape))
        header[name] = {
            "dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + size]
        }  # fmt: skip
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the format wants the data aligned
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        checksums = {}
        for name, tensor in zip(shapes, tensors, strict=True):
            data = tensor.to(torch.float32).contiguous().numpy().data
            checksums[name] = zlib.crc32(data)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return checksums
