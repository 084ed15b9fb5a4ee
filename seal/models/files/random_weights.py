"""Models of random weights: on a device, or as a folder, which is never in memory as a whole.

For measuring: such a model costs what a trained one costs, and says nothing.
"""

from __future__ import annotations

import json
import math
import shutil
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from safetensors.torch import save_file
from torch import Tensor

from seal.files.fingerprint import TRAINING_FILE
from seal.files.whole import follow_umask
from seal.models.files.fill import build_from_drawn
from seal.models.files.model_config import CONFIG_FILE, config_to_dict
from seal.models.files.processors import processor_files
from seal.models.files.save import INDEX_FILE
from seal.models.files.tower_names import name_on_disk
from seal.models.vlm import EMBEDDINGS, HEAD
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSM, VSMModelConfig
from seal.text.tokenizer_files import copy_tokenizer

SHARD_BYTES = 2_000_000_000  # of which one is in memory
_HEADER_ROOM = 1 << 20  # bytes of a shard that are not weights


def write_random_model(
    folder: Path,
    config: VQAModelConfig | VSMModelConfig,
    tokenizer_folder: Path,
    *,
    seed: int = 0,
    never: Collection[int] = (),
    dtype: torch.dtype = torch.bfloat16,
    device: str = "cpu",
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Make `folder` a model folder of `config`; what an interrupted call left is gone on with.

    Matrices are normal with variance 1 / fan-in, norms are one and biases zero, so activations
    stay near one however wide or deep the model is.

    Args:
        never: ids that greedy decoding never chooses: their rows of the LM head are zero, so their
            logits are 0, and the largest of some hundred random ones is above that.
        dtype: of the files.
        device: where the numbers are drawn; another device draws other ones.
        shard_bytes: most bytes of weights in a file, a larger tensor aside.

    Raises:
        ValueError: the folder holds another model.
        OSError: the disk has too little room; what is missing is not begun.
    """
    with init_empty_weights():
        model = config.build()
    shapes = {name_on_disk(name): tensor.shape for name, tensor in model.stored_state().items()}
    sizes = config_to_dict(config)
    head = HEAD if HEAD in shapes else EMBEDDINGS  # tied
    made = {
        "experiment": "random weights", "steps": 0, "seed": seed, "never": sorted(never),
        "dtype": str(dtype), "shard_bytes": shard_bytes,
        "sizes": {key: value for key, value in sizes.items() if key != "seal_version"},
    }  # fmt: skip
    _require_same(folder, made)
    # First of all: by it an unfinished folder is known to be of the same model.
    _write(folder / TRAINING_FILE, made)
    shards = list(_shards(shapes, dtype.itemsize, shard_bytes))
    names = [
        f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        for number in range(1, len(shards) + 1)
    ]
    missing = [i for i, name in enumerate(names) if not (folder / name).exists()]
    weights = [sum(shapes[key].numel() for key in keys) * dtype.itemsize for keys in shards]
    _require_room(folder, sum(weights[i] + _HEADER_ROOM for i in missing))
    for i in missing:
        state = {
            key: _draw(key, shapes[key], seed, dtype, device, never if key == head else ()).cpu()
            for key in shards[i]
        }
        part = folder / f".{names[i]}.part"
        save_file(state, part, metadata={"format": "pt"})
        follow_umask(part)
        part.replace(folder / names[i])
    weight_map = {key: name for name, keys in zip(names, shards, strict=True) for key in keys}
    _write(
        folder / INDEX_FILE,
        {"metadata": {"total_size": sum(weights)}, "weight_map": dict(sorted(weight_map.items()))},
    )
    for name, settings in processor_files(config).items():
        _write(folder / name, settings)
    copy_tokenizer(tokenizer_folder, folder)
    _write(folder / CONFIG_FILE, sizes)  # last: before, it is no model folder


def random_model(
    config: VQAModelConfig | VSMModelConfig,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.bfloat16,
    device: torch.device | str = "cpu",
    quantization: str | None = None,
) -> VQAModel | VSM:
    """The model such a folder would hold, drawn where it is used: no file, no copy on the host.

    Args:
        quantization: "int8" or "nf4", of the language model's blocks.
    """

    def draw(key: str, shape: torch.Size) -> Tensor:
        # bitsandbytes packs to 8 bits what comes from the host, and nothing else.
        where = "cpu" if quantization == "int8" else str(device)
        return _draw(name_on_disk(key), shape, seed, dtype, where, ())

    return build_from_drawn(config, draw, device=device, quantization=quantization)


def _shards(
    shapes: dict[str, torch.Size], item_bytes: int, shard_bytes: int
) -> Iterator[list[str]]:
    """Names in order, as many as fit into each file."""
    shard: list[str] = []
    filled = 0
    for name, shape in shapes.items():
        size = shape.numel() * item_bytes
        if shard and filled + size > shard_bytes:
            yield shard
            shard, filled = [], 0
        shard.append(name)
        filled += size
    yield shard


def _draw(
    name: str,
    shape: torch.Size,
    seed: int,
    dtype: torch.dtype,
    device: str,
    zero_rows: Collection[int],
) -> Tensor:
    """The tensor `name`, from a generator of its own: whatever the shards, the same numbers."""
    if len(shape) <= 1:
        if name.endswith("bias"):
            return torch.zeros(shape, dtype=dtype, device=device)
        if name.endswith("weight"):  # of a norm
            return torch.ones(shape, dtype=dtype, device=device)
    generator = torch.Generator(device).manual_seed(zlib.crc32(f"{seed} {name}".encode()))
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else shape.numel()
    tensor = torch.empty(shape, dtype=dtype, device=device)
    tensor.normal_(0.0, fan_in**-0.5, generator=generator)
    tensor[sorted(zero_rows)] = 0.0
    return tensor


def _require_same(folder: Path, made: dict[str, Any]) -> None:
    """Refuse a folder that some other model, or something else, is in."""
    path = folder / TRAINING_FILE
    if not path.exists():
        if folder.exists() and any(folder.iterdir()):
            raise ValueError(f"{folder} holds something else than random weights: choose another")
        return
    there = json.loads(path.read_text(encoding="utf-8"))
    here = json.loads(json.dumps(made))
    for key in [key for key in here if there.get(key) != here[key]]:
        raise ValueError(
            f"{path} has {key}={there.get(key)!r}, not {here[key]!r}: the folder is of another "
            "model; delete it or choose another"
        )


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{folder} needs {needed / 1e9:.1f} GB more and its disk has {free / 1e9:.1f} GB free: "
            "make room or choose another folder"
        )


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    part.replace(path)
