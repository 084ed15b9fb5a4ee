"""One writer at a time: a lock on a folder that says who holds it and dies with its holder."""

from __future__ import annotations

import errno
import json
import os
import shlex
import socket
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

try:
    import fcntl
except ImportError:  # not on Windows; then a lock is a file and the holder is asked for by number
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".writer.lock"
_UNSUPPORTED = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL}  # by the file system
_OTHERS = {errno.EACCES, errno.EAGAIN}  # somebody else holds it
_TRIES = 20  # a lock file may be removed between opening and locking it
_held: set[Path] = set()  # by this process, which the system's locks do not tell apart


class InUseError(ValueError):
    """Somebody else writes there."""


class WriterLock:
    """`with WriterLock(folder, "build"): ...` while this process writes to `folder`.

    The lock is the operating system's, on a file in the folder: it ends with the process, however
    that ends, so that a killed writer locks nobody out. Workers forked meanwhile do not hold it.
    Where a file system knows no locks, the file itself is the lock; one whose process on this
    machine is gone is taken over.
    """

    def __init__(self, folder: str | Path, what: str) -> None:
        """`what`: the work, for the message to whoever comes second: "build", "training"."""
        self.path = Path(folder) / LOCK_FILE
        self.what = what
        self._descriptor: int | None = None

    def __enter__(self) -> WriterLock:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock; the folder is made if it is not there.

        Raises:
            InUseError: another process, or another part of this one, writes to the folder.
            ValueError: the folder cannot be written to.
        """
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            key = folder.resolve() / LOCK_FILE
            if key in _held:
                raise InUseError(self._told({"pid": os.getpid(), "host": socket.gethostname()}))
            self._descriptor = self._take()
        except OSError as error:
            raise ValueError(f"{folder} cannot be written to: {error.strerror or error}") from error
        _held.add(key)

    def release(self) -> None:
        """Give the lock back and remove its file."""
        if self._descriptor is None:
            return
        # Removed while it is held: whoever has it open already looks again.
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None
        _held.discard(self.path.parent.resolve() / LOCK_FILE)

    def _take(self) -> int:
        for _ in range(_TRIES):
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if self._lock(descriptor) and _is_at(descriptor, self.path):
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, json.dumps(self._holder()).encode(), 0)
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
        raise InUseError(f"{self.path} comes and goes: several processes write there; try again")

    def _lock(self, descriptor: int) -> bool:
        """Whether it is ours now; False: look again."""
        if fcntl is not None:
            try:
                # POSIX locks, not flock: forked workers do not inherit them, and NFS has them.
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except OSError as error:
                if error.errno in _OTHERS:
                    raise InUseError(self._told(_read(self.path))) from None
                if error.errno not in _UNSUPPORTED:
                    raise
        holder = _read(self.path)
        if holder and _may_live(holder):
            raise InUseError(
                f"{self._told(holder)}; if it does not run any more, remove {self.path}"
            )
        return True

    def _holder(self) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            "what": self.what,
            "command": shlex.join(sys.argv)[:200],
        }

    def _told(self, holder: dict[str, Any]) -> str:
        who = f"process {holder.get('pid', '?')} on {holder.get('host', 'this machine')}"
        if since := holder.get("since"):
            who += f" since {since}"
        return (
            f"{self.path.parent}: another {holder.get('what', self.what)} writes there ({who}); "
            "wait for it, end it, or name another folder"
        )


def _read(path: Path) -> dict[str, Any]:
    """What a lock file says of its holder; empty where it says nothing readable (yet)."""
    try:
        holder = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(descriptor)
    return (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)


def _may_live(holder: dict[str, Any]) -> bool:
    """Whether a holder that only its file tells of may still run; of other machines: yes."""
    if holder.get("host") != socket.gethostname():
        return True
    try:
        os.kill(int(holder["pid"]), 0)
    except (KeyError, TypeError, ValueError, ProcessLookupError):
        return False
    except OSError:  # it is another user's
        return True
    return True
