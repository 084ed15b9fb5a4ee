"""The checkpoints of one run: which is the newest that is whole, which are ours to remove.

checkpoints/latest         the name of the checkpoint to go on from
checkpoints/written.json   the names of all that were written here; nothing else is removed
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seal.files.whole import write_whole
from seal.training.best import spared

FORMAT = 1
KINDS = ("weights", "exp_avg", "exp_avg_sq")  # of tensors: a file each
META = "checkpoint.json"
PARTIAL = ".partial-"  # prefix of a folder that is being written; never read
_POINTER = "latest"
_MANIFEST = "written.json"
_NAME = re.compile(r"step-\d{8}")


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(size) is int and 0 <= size < 2**40 for size in value
    )


def _are_checksums(value: Any) -> bool:
    """By kind and name; older checkpoints have none."""
    return value is None or (
        isinstance(value, dict)
        and all(isinstance(value.get(kind), dict) for kind in KINDS)
        and all(type(number) is int for kind in KINDS for number in value[kind].values())
    )


_META_VALUES: dict[str, Callable[[Any], bool]] = {
    "step": lambda value: type(value) is int and value > 0,
    "config": lambda value: isinstance(value, dict),
    "shapes": lambda value: isinstance(value, dict) and all(map(_is_shape, value.values())),
    "crc32": _are_checksums,
}


def checkpoint_name(step: int) -> str:
    """The folder of the checkpoint after `step` updates."""
    return f"step-{step:08d}"


def find_checkpoint(folder: Path, tell: Callable[[str], None] = print) -> Path | None:
    """The checkpoint to go on from, None if there is none at all.

    That is the one `latest` names, or, if it is lost, empty or wrong, the newest.

    Args:
        tell: is told what is done about a pointer that cannot be followed.

    Raises:
        ValueError: that checkpoint is damaged; names its file, and the newest one that is whole.
    """
    names = checkpoint_names(folder)
    pointer = folder / _POINTER
    pointed = ""
    if pointer.exists():
        pointed = pointer.read_bytes().decode("utf-8", "replace").strip()
    if pointed in names:
        chosen = pointed
    elif names:
        chosen = names[-1]
        why = f"names {pointed[:40]!r}, which is not there" if pointed else "is lost or empty"
        tell(f"{pointer} {why}; going on from the newest checkpoint, {chosen}")
    elif pointed:
        raise ValueError(
            f"{pointer} names {pointed[:40]!r}, but {folder} holds no checkpoint; put it back, or "
            "choose another run_name to start anew"
        )
    else:
        return None
    if (wrong := damage(folder / chosen)) is not None:
        whole = [name for name in names if name != chosen and damage(folder / name) is None]
        way = (
            f"{whole[-1]} is whole: to go on from it, write its name into {pointer}"
            if whole
            else "no other one is whole; choose another run_name to start anew"
        )
        raise ValueError(f"{wrong}; {way}")
    return folder / chosen


def is_first_unfinished(folder: Path) -> bool:
    """Whether a first checkpoint was begun there and none has ever been complete."""
    return bool(_own(folder)) and not (folder / _POINTER).exists()


def checkpoint_names(folder: Path) -> list[str]:
    """What is there, oldest first, whole or not."""
    if not folder.is_dir():
        return []
    return sorted(
        path.name for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()
    )


def read_meta(checkpoint: Path) -> dict[str, Any]:
    """`checkpoint.json`: format, step, configuration, shapes, checksums.

    Raises:
        ValueError: it is missing, damaged, or of another format.
    """
    path = checkpoint / META
    if not path.exists():
        raise ValueError(f"{checkpoint} is not a checkpoint: it holds no {META}")
    try:
        meta: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ValueError(f"{path} is damaged: not JSON: {error}") from error
    if not isinstance(meta, dict):
        raise ValueError(f"{path} is damaged: expected an object, found {type(meta).__name__}")
    if meta.get("format") != FORMAT:
        told = str(meta.get("format"))[:40]
        raise ValueError(f"{path} has format {told}; this version reads {FORMAT}")
    if wrong := [key for key, fits in _META_VALUES.items() if not fits(meta.get(key))]:
        raise ValueError(f"{path} is damaged: {wrong[0]} is missing or no such value")
    if _NAME.fullmatch(checkpoint.name) and checkpoint.name != checkpoint_name(meta["step"]):
        raise ValueError(f"{path} is damaged: it tells of step {meta['step']}")
    described: dict[str, Any] = meta
    return described


def damage(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, as far as it takes no reading of its tensors; None: nothing.

    Their checksums are compared when they are read.
    """
    try:
        meta = read_meta(checkpoint)
    except ValueError as error:
        return str(error)
    least = 4 * sum(int(np.prod(shape)) for shape in meta["shapes"].values())  # bytes, float32
    for kind in KINDS:
        path = checkpoint / f"{kind}.safetensors"
        if not path.is_file():
            return f"{path} is missing"
        size = path.stat().st_size
        with path.open("rb") as file:
            header = int.from_bytes(file.read(8), "little")
        if size != 8 + header + least:
            return f"{path} is damaged: {size} bytes, but its tensors take {8 + header + least}"
    return None


def begin_writing(folder: Path, name: str) -> Path:
    """Make room for a checkpoint; the folder to write it to, which nobody reads.

    What was left of one that was not finished goes. One of that name that was not written here is
    set aside.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = _own(folder)
    if name not in own:
        _set_aside(folder / name)
        own.append(name)
        write_whole(folder / _MANIFEST, json.dumps(own))  # before there is anything of it
    for other in own:
        if (leftover := folder / f"{PARTIAL}{other}").is_dir():
            shutil.rmtree(leftover)
    partial = folder / f"{PARTIAL}{name}"
    partial.mkdir()
    return partial


def finish_writing(folder: Path, name: str) -> Path:
    """Give a checkpoint its name and make it the one to go on from."""
    partial, final = folder / f"{PARTIAL}{name}", folder / name
    _sync_folder(partial)
    if final.exists():  # ours, from before somebody set `latest` back
        shutil.rmtree(final)
    partial.rename(final)
    _sync_folder(folder)
    write_whole(folder / _POINTER, name)
    _sync_folder(folder)
    return final


def rotate(folder: Path, keep: int, newest: str) -> None:
    """Remove all but the last `keep` of the checkpoints written here, up to `newest`.

    Later ones, from before somebody set `latest` back, stay until this run comes to their steps;
    so does the one that `best` names, until there is a better one.
    """
    stay = spared(folder)
    own = set(_own(folder))
    ours = [name for name in checkpoint_names(folder) if name in own and name <= newest]
    for name in ours[:-keep]:
        if name not in stay:
            shutil.rmtree(folder / name)


def _set_aside(checkpoint: Path) -> None:
    if not checkpoint.exists():
        return
    number = 1
    while (aside := checkpoint.with_name(f"{checkpoint.name}.from-elsewhere-{number}")).exists():
        number += 1
    checkpoint.rename(aside)


def _own(folder: Path) -> list[str]:
    """The names in the manifest; one that is damaged lists none, so that nothing is removed."""
    try:
        names = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        return [name for name in names if _NAME.fullmatch(name)]
    except (OSError, ValueError, TypeError):
        return []


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
