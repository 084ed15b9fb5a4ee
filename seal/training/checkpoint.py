"""Read checkpoints: complete or absent, plain safetensors and JSON.

    checkpoints/step-00000500/
        checkpoint.json                   step, configuration, shapes, checksums
        weights.safetensors               float32 master weights of what is trained
        exp_avg.safetensors  exp_avg_sq.safetensors        AdamW's state

The schedule, the position in the data and every random number are functions of the seed and the
step, so the step is all that has to be stored of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from seal.training.checkpoint_store import KINDS, read_meta
from seal.training.checkpoint_writer import PIECE, join_checksums
from seal.training.distributed import World
from seal.training.engine import Engine
from seal.training.same_run import require_same_shapes
from seal.training.state import EngineState
from seal.training.tensor_file import ITEM, read_at, read_offsets


def read_description(checkpoint: Path) -> dict[str, Any]:
    """What the run that wrote it was, as it was passed to `Checkpointer.save`."""
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


def load_checkpoint(checkpoint: Path, engine: Engine) -> int:
    """Overwrite the engine's state with a checkpoint's and return the steps it had done.

    Collective: every process reads the parts it holds, whatever number of them wrote it. The
    engine must have taken a step (`Engine.skip_step`), so that its optimizer has a state.

    Raises:
        ValueError: in every process: the checkpoint is damaged, or of another model (names the
            keys).
    """
    meta = read_meta(checkpoint)
    state = EngineState(engine)
    require_same_shapes(checkpoint, read_shapes(checkpoint), state.shapes)
    with engine.open_moments(changed=True):
        for kind in KINDS:
            _read_kind(checkpoint, meta, state, kind, engine.world)
    state.settle(meta["step"])
    engine.world.barrier()
    return int(meta["step"])


def _read_kind(
    checkpoint: Path, meta: Mapping[str, Any], state: EngineState, kind: str, world: World
) -> None:
    """Overwrite one kind of tensors; what all processes read together has to have the checksum."""
    path = checkpoint / f"{kind}.safetensors"
    found: list[tuple[str, int, int, int]] = []
    problem = None
    try:
        found = _read_own(path, state, kind, world)
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = str(error)
    gathered = world.gather((problem, found))
    problems = [text for text, _ in gathered if text is not None]
    expected = meta.get("crc32", {}).get(kind)  # older checkpoints have none
    if expected is not None and not problems:
        joined = join_checksums([parts for _, parts in gathered], state.shapes)
        wrong = [name for name, crc in joined.items() if crc != expected.get(name)]
        problems = [f"the checksum of {name} is another" for name in wrong]
    if problems:
        raise _damaged(path, problems[0])


def _read_own(
    path: Path, state: EngineState, kind: str, world: World
) -> list[tuple[str, int, int, int]]:
    """Overwrite what this process holds of one kind; the checksum of each part that was read."""
    offsets = read_offsets(path, state.shapes)
    host = torch.empty(PIECE, pin_memory=world.device.type == "cuda")
    found = []
    with path.open("rb", buffering=0) as file:
        for part in state.own:
            living = state.view(part, kind)
            crc = 0
            for begin in range(0, part.end - part.begin, PIECE):
                piece = living[begin : begin + PIECE]
                copy = host[: len(piece)]
                data = copy.numpy().data.cast("B")
                offset = offsets[part.name] + ITEM * (part.begin + begin)
                read_at(file.fileno(), data, offset)
                crc = zlib.crc32(data, crc)
                piece.copy_(copy)
            found.append((part.name, part.begin, part.end, crc))
    return found


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
        raise _damaged(path, error) from error


def _damaged(path: Path, why: object) -> ValueError:
    return ValueError(
        f"{path} is damaged: {why}; go on from an earlier checkpoint of {path.parents[1]} by "
        "writing its name into the file `latest` there"
    )
