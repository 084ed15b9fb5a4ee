"""Find the file that is meant: `benchmark=` names it, or the folder that it lies in."""

from __future__ import annotations

from pathlib import Path


def only_file(path: Path, *patterns: str) -> Path:
    """The path itself if it is a file; else the one file of the folder that fits a pattern.

    The first pattern that fits any file counts.

    Raises:
        ValueError: none fits, or two do.
    """
    if path.is_file():
        return path
    for pattern in patterns:
        # What macOS puts beside a file it copies is no file of the benchmark.
        found = sorted(p for p in path.glob(pattern) if p.is_file() and not p.name.startswith("._"))
        if len(found) > 1:
            names = ", ".join(file.name for file in found[:3])
            raise ValueError(f"{path} has {names}: name the one that is meant")
        if found:
            return found[0]
    raise ValueError(f"{path} has no {' and no '.join(patterns)}")
