"""A model folder that is made once and is whole or not there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from seal.files.cache_folder import cache_folder


def converted(name: str, convert: Callable[[Path], None]) -> Path:
    """`$SEAL_CACHE/real/models/<name>`, which `convert` fills if it is not there."""
    folder = cache_folder() / "real" / "models" / name
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            convert(Path(made))
            Path(made).chmod(0o755)
            Path(made).rename(folder)
            Path(made).mkdir()  # for the context to remove
    return folder
