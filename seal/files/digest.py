"""What tells a file from another version of it: its content, whatever its name, size and date."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

_BLOCK = 1 << 20  # bytes


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file, 64 hex digits. Reads all of it: about a second a gigabyte."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def file_facts(path: str | Path) -> dict[str, Any]:
    """Name, size and content of a file that something is made from, for what is made of it."""
    path = Path(path)
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": file_digest(path)}
