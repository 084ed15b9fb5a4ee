"""A safetensors file of float32 tensors that several processes write and read in pieces.

The header tells where every tensor lies, so a process reads and writes at byte offsets of its own.
Pieces that meet inside a disk block are safe on one machine and on file systems that keep several
machines coherent (Lustre, GPFS, NFS with byte ranges); the checksums tell where one is not.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ITEM = 4  # bytes of a float32
_LARGEST_HEADER = 2**28  # bytes; beyond it a length is a damaged one
_NOT_THERE = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things lie in one file."""

    header: bytes  # with its length in front
    offsets: dict[str, int]  # of a tensor's first byte, from the beginning of the file
    size: int  # bytes of the whole file


def count(shape: tuple[int, ...]) -> int:
    """Elements of a tensor."""
    return int(np.prod(shape, dtype=np.int64))


def lay_out(shapes: Shapes) -> Layout:
    """One tensor behind the other, in the order of `shapes`."""
    header: dict[str, Any] = {}
    begin = 0
    for name, shape in shapes.items():
        end = begin + ITEM * count(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the format wants the data aligned
    first = 8 + len(text)
    offsets = {name: first + header[name]["data_offsets"][0] for name in shapes}
    return Layout(len(text).to_bytes(8, "little") + text, offsets, first + begin)


def read_offsets(path: Path, shapes: Shapes) -> dict[str, int]:
    """The byte of the file each tensor begins at; the order in the file may be any.

    Raises:
        ValueError: the header is damaged, or is not of such tensors.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LARGEST_HEADER:
            raise ValueError(f"its header claims {length} bytes")
        text = file.read(length)
    header = json.loads(text)
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    offsets = {}
    for name, shape in shapes.items():
        entry = header.get(name)
        if not isinstance(entry, dict):
            raise ValueError(f"{name} is missing")
        if entry.get("dtype") != "F32" or entry.get("shape") != list(shape):
            raise ValueError(f"{name} is {entry.get('dtype')} {entry.get('shape')}")
        begin, end = entry["data_offsets"]
        if type(begin) is not int or begin < 0 or end - begin != ITEM * count(shape):
            raise ValueError(f"{name} lies at bytes {begin} to {end}")
        offsets[name] = 8 + length + begin
    return offsets


def reserve(path: Path, layout: Layout) -> None:
    """Make a file of full length that holds the header; its room on the disk is then ours.

    Nothing is flushed: who writes the tensors does that.

    Raises:
        OSError: it does not fit.
    """
    with path.open("wb") as file:
        _allocate(file.fileno(), layout.size)
        file.write(layout.header)


def write_at(descriptor: int, data: memoryview, offset: int) -> None:
    """All of `data`, which a single call of the system need not write."""
    while data.nbytes:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written


def read_at(descriptor: int, data: memoryview, offset: int) -> None:
    """Fill `data`.

    Raises:
        ValueError: the file ends before.
    """
    while data.nbytes:
        got = os.preadv(descriptor, [data], offset)
        if not got:
            raise ValueError("it ends too early")
        data, offset = data[got:], offset + got


def _allocate(descriptor: int, size: int) -> None:
    disk = os.fstatvfs(descriptor)
    # First, for a system that runs out of room on the way keeps what it has taken so far.
    if disk.f_bavail * disk.f_frsize < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    # Not os.posix_fallocate: where the file system cannot, that writes a byte to every block.
    fallocate = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None)
    if fallocate is not None:  # a quota, too, is told by it
        fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        while fallocate(descriptor, 0, 0, size):
            code = ctypes.get_errno()
            if code == errno.EINTR:
                continue
            if code in _NOT_THERE:
                break
            os.ftruncate(descriptor, 0)
            raise OSError(code, os.strerror(code))
        else:
            return
    os.ftruncate(descriptor, size)
