"""Write one checkpoint from all processes at once, each its own parts, while training goes on.

The first process makes files of full length (`begin`). Then a thread of every process writes its
parts and reports their checksums; that of the first one waits for all reports, writes
`checkpoint.json` and gives the checkpoint its name. No thread takes part in a collective call.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from seal.files.crc32 import combine_crc32
from seal.files.whole import write_whole
from seal.training.checkpoint_store import (
    FORMAT,
    KINDS,
    META,
    PARTIAL,
    begin_writing,
    checkpoint_name,
    finish_writing,
    rotate,
)
from seal.training.tensor_file import ITEM, Layout, Shapes, count, lay_out, reserve, write_at

PIECE = 2**22  # elements that are written, or read, at once: 16 MiB
_UNSEEN = 30.0  # seconds after which a file another machine has made should be seen on this one
_PAUSE = 0.02  # seconds between looks at what others have reported

# Of each kind: name, first element, end, CRC-32 of a part.
Report = dict[str, list[tuple[str, int, int, int]]]


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of the flattened tensor `name` from element `begin` on."""

    kind: str
    name: str
    begin: int
    data: memoryview


class Post(Protocol):
    """How a thread hears of the other processes; what `torch.distributed.Store` offers."""

    def set(self, key: str, value: str) -> None: ...

    def check(self, keys: list[str]) -> bool: ...

    def get(self, key: str) -> bytes: ...

    def delete_key(self, key: str) -> bool: ...


class _StoppedError(Exception):
    """Another process has failed, so this one gives up; it has nothing to tell."""


def begin(folder: Path, step: int, shapes: Shapes) -> None:
    """Make the files of a checkpoint in full length, where nobody reads them yet.

    Raises:
        OSError: they do not fit on the disk; nothing is left of them.
    """
    partial = None
    try:
        partial = begin_writing(folder, checkpoint_name(step))
        layout = lay_out(shapes)
        for kind in KINDS:
            reserve(partial / f"{kind}.safetensors", layout)
    except (OSError, ValueError) as error:
        if partial is not None:
            shutil.rmtree(partial)
        raise OSError(str(error)) from error


def discard(folder: Path, step: int) -> None:
    """Remove what was begun and cannot be finished."""
    partial = folder / f"{PARTIAL}{checkpoint_name(step)}"
    if partial.is_dir():
        shutil.rmtree(partial)


class Writing(threading.Thread):
    """One process's part of writing a checkpoint; `begin` was called before.

    Args:
        pieces: what this process holds; asked for in this thread, one at a time.
        post: how the processes hear of each other; keys of one run never repeat.
        keep: checkpoints that stay, this one included; the first process removes older ones.
    """

    def __init__(
        self, folder: Path, step: int, config: Mapping[str, Any], shapes: Shapes,
        pieces: Iterable[Piece], *, rank: int, size: int, post: Post | None, keep: int,
    ) -> None:  # fmt: skip
        # A process that ends must not wait for its disk: what is not finished is written anew.
        super().__init__(name=f"checkpoint-{step}", daemon=True)
        self.step = step
        self.error: str | None = None  # why it failed; to be read when the thread has ended
        self.written = 0  # bytes so far
        self._folder = folder
        self._config = config
        self._shapes = shapes
        self._pieces = pieces
        self._rank = rank
        self._size = size
        self._post = post
        self._keep = keep
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let the thread end soon; what it has not finished nobody will see."""
        self._stopped.set()

    def run(self) -> None:
        try:
            report = self._write()
            if self._rank:
                self._tell({"report": report})
            else:
                self._publish([report, *self._reports_of_others()])
        except _StoppedError:
            pass
        except Exception as error:  # whatever it is, training raises it at its next step
            self.error = str(error) or type(error).__name__
            if self._rank:
                self.error = f"process {self._rank}: {self.error}"
                self._tell({"error": self.error})
        finally:
            self._pieces = ()  # they may hold memory

    def _write(self) -> Report:
        partial = self._folder / f"{PARTIAL}{checkpoint_name(self.step)}"
        layout = lay_out(self._shapes)
        report: Report = {kind: [] for kind in KINDS}
        files = {kind: _open(partial / f"{kind}.safetensors", layout) for kind in KINDS}
        try:
            for piece in self._pieces:
                if self._stopped.is_set():
                    raise _StoppedError
                offset = layout.offsets[piece.name] + ITEM * piece.begin
                write_at(files[piece.kind], piece.data, offset)
                self.written += piece.data.nbytes
                end = piece.begin + piece.data.nbytes // ITEM
                _append(report[piece.kind], piece.name, piece.begin, end, zlib.crc32(piece.data))
            for descriptor in files.values():
                os.fsync(descriptor)
        finally:
            for descriptor in files.values():
                os.close(descriptor)
        return report

    def _key(self, rank: int) -> str:
        return f"checkpoint/{self._folder}/{self.step}/{rank}"

    def _tell(self, content: Mapping[str, Any]) -> None:
        assert self._post is not None
        self._post.set(self._key(self._rank), json.dumps(content))

    def _reports_of_others(self) -> list[Report]:
        reports = []
        for rank in range(1, self._size):
            assert self._post is not None
            while not self._post.check([self._key(rank)]):
                if self._stopped.is_set():
                    raise _StoppedError
                time.sleep(_PAUSE)
            content = json.loads(self._post.get(self._key(rank)))
            self._post.delete_key(self._key(rank))
            if "error" in content:
                raise OSError(content["error"])
            reports.append(content["report"])
        return reports

    def _publish(self, reports: list[Report]) -> None:
        checksums = {
            kind: join_checksums([report[kind] for report in reports], self._shapes)
            for kind in KINDS
        }
        meta = {
            "format": FORMAT, "step": self.step, "config": self._config,
            "shapes": self._shapes, "crc32": checksums,
        }  # fmt: skip
        name = checkpoint_name(self.step)
        write_whole(self._folder / f"{PARTIAL}{name}" / META, json.dumps(meta, indent=1))
        finish_writing(self._folder, name)
        try:
            rotate(self._folder, self._keep, name)
        except OSError as error:
            raise OSError(f"it is complete, but an old one cannot be removed: {error}") from error


def join_checksums(
    reports: Iterable[Iterable[tuple[str, int, int, int]]], shapes: Shapes
) -> dict[str, int]:
    """The CRC-32 of every whole tensor, from those of the parts the processes report.

    Raises:
        ValueError: the parts leave something out or overlap.
    """
    parts: dict[str, list[tuple[int, int, int]]] = {name: [] for name in shapes}
    for report in reports:
        for name, begin, end, crc in report:
            parts[name].append((begin, end, crc))
    whole = {}
    for name, shape in shapes.items():
        at, joined = 0, 0
        for begin, end, crc in sorted(parts[name]):
            if begin != at:
                break
            joined = combine_crc32(joined, crc, ITEM * (end - begin))
            at = end
        if at != count(shape):
            raise ValueError(f"the parts of {name} do not make it up once: {sorted(parts[name])}")
        whole[name] = joined
    return whole


def _append(
    parts: list[tuple[str, int, int, int]], name: str, begin: int, end: int, crc: int
) -> None:
    """Add a part, to the one before if it goes on from there."""
    if parts and parts[-1][0] == name and parts[-1][2] == begin:
        _, first, _, before = parts.pop()
        begin, crc = first, combine_crc32(before, crc, ITEM * (end - begin))
    parts.append((name, begin, end, crc))


def _open(path: Path, layout: Layout) -> int:
    """A descriptor to write with, once this machine sees the file another one has made."""
    until = time.monotonic() + _UNSEEN
    while True:
        try:
            if path.stat().st_size == layout.size:
                return os.open(path, os.O_WRONLY)
        except FileNotFoundError:
            pass
        if time.monotonic() > until:
            raise OSError(
                f"{path}, which the first process made, is not seen here: is the folder shared by "
                "all machines?"
            )
        time.sleep(_PAUSE)
