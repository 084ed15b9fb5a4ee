"""Write files so that readers see the old one or the new one, with the permissions one expects."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: str | Path, content: str | bytes) -> Path:
    """Write under a temporary name beside it, flush to the disk, and rename; returns the path.

    One writer at a time: see `WriterLock`.

    Raises:
        ValueError: the file cannot be written; the message names it.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    # One name, so that what a killed writer left is written over by the next.
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ValueError(f"{path} cannot be written: {error.strerror or error}") from error
    return path


def follow_umask(path: str | Path) -> None:
    """Give a file the permissions of one that was opened plainly.

    Some libraries (safetensors, `tempfile`) make files that only their owner may read.
    """
    os.chmod(path, 0o666 & ~_umask())


def _umask() -> int:
    """The process's umask; read where that is possible, for setting it is seen by other threads."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    except OSError:
        pass
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
