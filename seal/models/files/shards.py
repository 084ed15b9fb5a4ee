"""The tensors of a folder, one shard at a time: what is there is known before any of it is read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

FILES = ("model.safetensors", "pytorch_model.bin")  # or <name>.index.json and shards
# Of the names that safetensors gives types; those of weights.
_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor lies."""

    file: Path
    name: str  # in that file
    shape: tuple[int, ...]
    dtype: torch.dtype | str  # text: a type that no model here has


def list_tensors(folder: Path | str) -> dict[str, StoredTensor]:
    """Every tensor of a Hugging Face folder by name: safetensors or .bin, sharded or not.

    Reads headers alone.

    Raises:
        ValueError: there is no such file; a shard is missing or damaged, lacks what its index
            places there or holds what is placed elsewhere; a .bin holds more than tensors.
    """
    folder = Path(folder)
    for name in FILES:
        index = folder / f"{name}.index.json"
        if index.is_file():
            return _indexed(index)
        if (folder / name).is_file():
            return list_file(folder / name)
    raise ValueError(f"{folder} has none of {', '.join(FILES)}, nor their .index.json")


def read_tensors(stored: Mapping[str, StoredTensor]) -> Iterator[tuple[str, Tensor]]:
    """The tensors under the names they have in `stored`, file by file; one file is open at a time.

    A tensor is a view of its file: what is neither kept nor changed takes no memory.

    Raises:
        ValueError: a file cannot be read; it names the file and the tensor.
    """
    by_file: dict[Path, list[tuple[str, str]]] = {}
    for name, tensor in stored.items():
        by_file.setdefault(tensor.file, []).append((name, tensor.name))
    for file, names in by_file.items():
        if file.suffix == ".safetensors":
            with _open(file) as tensors:
                for name, there in names:
                    try:
                        tensor = tensors.get_tensor(there)
                    except SafetensorError as error:
                        raise ValueError(f"{file}: {there} cannot be read: {error}") from error
                    yield name, tensor
        else:
            content = _load_bin(file)
            for name, there in names:
                yield name, content.pop(there)


def _indexed(index: Path) -> dict[str, StoredTensor]:
    """The tensors of all shards, which must hold what the index says and nothing else."""
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{index} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{index} is not JSON: {error}") from error
    placed = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(placed, dict) or not all(isinstance(x, str) for x in placed.values()):
        raise ValueError(
            f"{index} has no weight_map of tensor names to files: it is not an index of shards, "
            "or damaged; fetch it again"
        )
    stored: dict[str, StoredTensor] = {}
    for shard in sorted(set(placed.values())):
        path = index.parent / shard
        if path.parent != index.parent:
            raise ValueError(f"{index} names {shard}, which is not beside it")
        if not path.is_file():
            raise ValueError(f"{path} does not exist: the folder is incomplete; fetch it again")
        found = list_file(path)
        for name in found:
            if name not in placed:
                raise ValueError(f"{path} holds {name}, which {index.name} does not list")
        stored |= {name: tensor for name, tensor in found.items() if placed[name] == shard}
    if lost := [name for name in placed if name not in stored]:
        raise ValueError(
            f"{index.parent / placed[lost[0]]} has no {lost[0]}, which {index.name} places there"
            + (f" (and {len(lost) - 1} more)" * (len(lost) > 1))
        )
    return stored


def list_file(file: Path) -> dict[str, StoredTensor]:
    """What is in one file; as `list_tensors`."""
    if file.suffix == ".safetensors":
        with _open(file) as tensors:
            slices = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118
            return {
                name: StoredTensor(
                    file,
                    name,
                    tuple(part.get_shape()),
                    _TYPES.get(part.get_dtype(), part.get_dtype()),
                )
                for name, part in slices.items()
            }
    return {
        name: StoredTensor(file, name, tuple(tensor.shape), tensor.dtype)
        for name, tensor in _load_bin(file).items()
    }


def _open(file: Path) -> Any:
    try:
        with file.open("rb"):  # its own error of a file that may not be read says otherwise
            pass
        return safe_open(file, framework="pt")
    except PermissionError as error:
        raise ValueError(
            f"{file} cannot be read: {error.strerror}; its owner has to allow it"
        ) from error
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"{file}: not a complete safetensors file: {error}; fetch it again"
        ) from error


def _load_bin(file: Path) -> dict[str, Tensor]:
    try:
        try:
            content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError as error:
            if "mmap can only be used" not in str(error):  # files of before torch 1.6
                raise
            content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a few changed bytes make the unpickler raise nearly anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"{file}: not a file of tensors, or a damaged one: {reason}; fetch it again"
        ) from error
    if not isinstance(content, dict):
        raise ValueError(f"{file}: holds a {type(content).__name__}, not tensors by name")
    for name, value in content.items():
        if not isinstance(value, Tensor):
            raise ValueError(
                f"{file}: {name} is a {type(value).__name__}, not a tensor: not a file of weights"
            )
    return content
