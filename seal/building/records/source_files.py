"""The files that a builder reads: whether they are there, and what `set.json` notes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seal.building.records.writer import BuildConfig, require_name
from seal.files.digest import file_facts


def require_sources(images: str, **files: str) -> None:
    """Fail before a long build if the image folder or a file, by its key, is not there."""
    require_folder("images", images)
    for key, file in files.items():
        require_file(key, file)


def require_folder(key: str, path: str) -> None:
    """Fail if what the configuration names by `key` is no folder."""
    require_name(key, path)
    if not Path(path).is_dir():
        raise ValueError(f"{key}={path} is not a folder")


def require_file(key: str, path: str) -> None:
    """Fail if what the configuration names by `key` is no file."""
    require_name(key, path)
    if not Path(path).is_file():
        raise ValueError(f"{key}={path} is not a file")


def source_settings(
    config: BuildConfig, *names: str, files: Sequence[str] = ("annotations",)
) -> dict[str, Any]:
    """What makes a set what it is, for `set.json`: the limit, `names`, and facts of the files.

    Args:
        names: of fields of `config` that go in as they are.
        files: of fields that name a file, several, or (empty or None) none.
    """
    settings = {name: getattr(config, name) for name in ("limit", *names)}
    for name in files:
        value = getattr(config, name)
        if not value:
            settings[name] = None
        elif isinstance(value, str):
            settings[name] = file_facts(value)
        else:
            settings[name] = [file_facts(file) for file in value]
    return settings
