"""Checkpoints on disk: complete or absent, newest few kept, plain safetensors and JSON.

    checkpoints/latest                    the name of the newest complete checkpoint
    checkpoints/step-00000500/
        checkpoint.json                   step, configuration, shapes
        weights.safetensors               float32 master weights of what is trained
        exp_avg.safetensors  exp_avg_sq.safetensors        AdamW's state

The schedule, the position in the data and every random number are functions of the seed and the
step, so the step is all that has to be stored of them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from seal.training import state
from seal.training.config import FREE_FIELDS, flatten
from seal.training.engine import Engine

FORMAT = 1
PARTIAL = ".partial-"  # prefix of a folder that is being written; never read
FREE_SECTIONS = frozenset(["deepspeed", "paths", "run_name", "dry_run", "experiment"])


def find_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint of a run, None if there is none."""
    pointer = folder / "latest"
    if not pointer.exists():
        return None
    checkpoint = folder / pointer.read_text(encoding="ascii").strip()
    if not (checkpoint / "checkpoint.json").exists():
        raise ValueError(
            f"{pointer} names {checkpoint.name}, which is not there; write the name of one that is "
            f"({', '.join(_names(folder)) or 'none'}) into it, or remove it to start anew"
        )
    return checkpoint


def read_description(checkpoint: Path) -> dict[str, Any]:
    """What the run that wrote it was, as it was passed to `save_checkpoint`."""
    description: dict[str, Any] = _read_meta(checkpoint)["config"]
    return description


def read_step(checkpoint: Path) -> int:
    """Optimizer steps done when it was written."""
    return int(_read_meta(checkpoint)["step"])


def read_shapes(checkpoint: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor that was trained."""
    return {name: tuple(shape) for name, shape in _read_meta(checkpoint)["shapes"].items()}


def iterate_weights(checkpoint: Path) -> Iterator[tuple[str, Tensor]]:
    """The float32 weights of what was trained, by the model's own names; one at a time."""
    _read_meta(checkpoint)
    with safe_open(checkpoint / "weights.safetensors", framework="pt") as file:
        for name in file.keys():  # noqa: SIM118  # not a dict
            yield name, file.get_tensor(name)


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
        for kind in state.KINDS:  # in step with the first process, which gathers and writes
            for name in shapes:
                state.get_tensor(engine, name, kind)
        engine.world.barrier()
        return folder / _name(step)
    try:
        written = write_checkpoint(
            folder, meta, lambda name, kind: state.get_tensor(engine, name, kind)
        )
    except OSError as error:
        need = 4 * len(state.KINDS) * sum(int(np.prod(s)) for s in shapes.values()) / 2**30
        raise OSError(
            f"cannot write the checkpoint of step {step} to {folder}: {error}; it takes "
            f"{need:.2f} GiB; the earlier ones ({', '.join(_names(folder)) or 'none'}) are intact: "
            f"make room and start the same command again"
        ) from error
    _rotate(folder, keep, written)
    engine.world.barrier()
    return written


def write_checkpoint(
    folder: Path, meta: Mapping[str, Any], tensor: Callable[[str, str], Tensor]
) -> Path:
    """Write under a name that is never read, then rename, then point `latest` at it.

    Whatever kills the process in between, `latest` names a complete checkpoint. Tensors are asked
    for one at a time, so memory holds one of them, not the model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(f"{PARTIAL}*"):  # of a run that was killed while it saved
        shutil.rmtree(leftover)
    final = folder / _name(meta["step"])
    partial = folder / f"{PARTIAL}{final.name}"
    partial.mkdir()
    try:
        for kind in state.KINDS:
            tensors = (tensor(name, kind) for name in meta["shapes"])
            _write_safetensors(partial / f"{kind}.safetensors", meta["shapes"], tensors)
        _write_text(partial / "checkpoint.json", json.dumps(meta, indent=1))
        _sync_folder(partial)
    except OSError:
        shutil.rmtree(partial)
        raise
    if final.exists():  # written after `latest` was last moved: not the one to fall back to
        shutil.rmtree(final)
    partial.rename(final)
    _sync_folder(folder)
    _write_text(folder / "latest.new", final.name)
    os.replace(folder / "latest.new", folder / "latest")
    _sync_folder(folder)
    return final


def load_checkpoint(checkpoint: Path, engine: Engine) -> int:
    """Overwrite the engine's state with a checkpoint's and return the steps it had done.

    The engine must have taken a step (`Engine.skip_step`), so that its optimizer has a state.

    Raises:
        ValueError: the checkpoint is of another model; names the keys.
    """
    meta = _read_meta(checkpoint)
    shapes = state.shapes(engine)
    require_same_shapes(checkpoint, read_shapes(checkpoint), shapes)
    for kind in state.KINDS:
        with safe_open(checkpoint / f"{kind}.safetensors", framework="pt") as file:
            for name in shapes:
                state.set_tensor(engine, name, kind, file.get_tensor(name))
    state.set_optimizer_step(engine, meta["step"])
    engine.world.barrier()
    return int(meta["step"])


def require_same_shapes(
    source: Path, stored: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise a ValueError that names every kind of difference."""
    missing = [name for name in wanted if name not in stored]
    extra = [name for name in stored if name not in wanted]
    other = [
        f"{name} {list(stored[name])} there, {list(wanted[name])} here"
        for name in wanted
        if name in stored and stored[name] != wanted[name]
    ]
    problems = [
        f"{title}: {_some(names)}"
        for title, names in (
            ("not in it", missing),
            ("only in it", extra),
            ("of another shape", other),
        )
        if names
    ]
    if problems:
        raise ValueError(
            f"{source} is not a checkpoint of what is trained here; {'; '.join(problems)}; "
            f"choose another run_name, or the model configuration it was written with"
        )


def require_same_config(source: Path, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise a ValueError if a value that shapes the training has changed; names the keys."""
    require_same_base(source, stored.get("base"), wanted.get("base"))
    there, here = flatten(stored), flatten(wanted)
    changed = [
        f"{key}: {there.get(key, 'absent')!r} there, {here.get(key, 'absent')!r} here"
        for key in sorted(there.keys() | here.keys())
        if there.get(key, "absent") != here.get(key, "absent") and not _is_free(key)
    ]
    if changed:
        raise ValueError(
            f"{source} was written under another configuration: {_some(changed)}; "
            f"choose another run_name to start anew, or set these back to continue"
        )


def require_same_base(
    source: Path, stored: Mapping[str, str] | None, wanted: Mapping[str, str] | None
) -> None:
    """Raise a ValueError if the folder with the base model holds another one by now.

    A checkpoint holds what is trained and nothing frozen. Another folder is another configuration,
    which `require_same_config` names.
    """
    if stored is None or wanted is None or stored["folder"] != wanted["folder"]:
        return
    if stored["fingerprint"] != wanted["fingerprint"]:
        raise ValueError(
            f"init_from={wanted['folder']} is no longer the model that {source} was trained from "
            f"(fingerprint {stored['fingerprint']} then, {wanted['fingerprint']} now), and what is "
            f"not trained is read from there; put that model back, or choose another run_name to "
            f"start anew"
        )


def _is_free(key: str) -> bool:
    section, _, rest = key.removeprefix("configuration.").partition(".")
    return section in FREE_SECTIONS or (section == "train" and rest in FREE_FIELDS)


def _some(names: list[str], limit: int = 6) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _names(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in folder.glob("step-*/checkpoint.json"))


def _rotate(folder: Path, keep: int, written: Path) -> None:
    names = _names(folder)
    # Later ones are left from before someone set `latest` back: this run will write its own.
    stay = [name for name in names if name <= written.name][-keep:]
    for name in names:
        if name not in stay:
            shutil.rmtree(folder / name)


def _read_meta(checkpoint: Path) -> dict[str, Any]:
    path = checkpoint / "checkpoint.json"
    if not path.exists():
        raise FileNotFoundError(f"{checkpoint} is not a checkpoint: it holds no checkpoint.json")
    meta: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if meta["format"] != FORMAT:
        raise ValueError(f"{path} has format {meta['format']}; this version reads {FORMAT}")
    return meta


def _write_safetensors(
    path: Path, shapes: Mapping[str, tuple[int, ...]], tensors: Iterable[Tensor]
) -> None:
    """Write float32 tensors, in the order of `shapes`, as they come."""
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
        for tensor in tensors:
            file.write(tensor.to(torch.float32).contiguous().numpy().data)
        file.flush()
        os.fsync(file.fileno())


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
