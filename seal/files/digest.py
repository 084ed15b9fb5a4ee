"""What tells a file from another version of it: its content, whatever its name, size and date."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

_BLOCK = 1 << 20  # bytes
_SHOWN = 1 << 30  # bytes; reading a file of that size takes long enough to be shown


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file, 64 hex digits. Reads all of it: about a second a gigabyte."""
    path = Path(path)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        size = path.stat().st_size
        what = f"checksum of {path.name}"
        bar = tqdm(total=size, desc=what, unit="B", unit_scale=True, disable=size < _SHOWN)
        with bar:
            while block := file.read(_BLOCK):
                digest.update(block)
                bar.update(len(block))
    return digest.hexdigest()


def file_facts(path: str | Path) -> dict[str, Any]:
    """Name, size and content of a file that something is made from, for what is made of it."""
    path = Path(path)
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": file_digest(path)}


def folder_facts(folder: str | Path, files: Iterable[Path]) -> dict[str, Any]:
    """Name of a folder and content of those of its files that something is made from.

    Whoever renames, adds, loses or changes one of the files changes the facts.
    """
    digest = hashlib.sha256()
    number = 0
    for path in tqdm(sorted(files), f"checksums in {Path(folder).name}", unit="file", delay=2):
        digest.update(f"{path.name}\0{file_digest(path)}\0".encode("utf-8", "surrogateescape"))
        number += 1
    return {"name": Path(folder).name, "files": number, "sha256": digest.hexdigest()}
