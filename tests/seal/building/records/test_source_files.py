from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from seal.building.records.source_files import require_sources, source_settings
from seal.building.records.writer import BuildConfig


@dataclass(kw_only=True, slots=True)
class Config(BuildConfig):
    captions: str | None = None
    also: list[str] = field(default_factory=list)
    source: str = "x"


def test_what_is_not_there_is_named_by_its_key(tmp_path: Path) -> None:
    (tmp_path / "a.json").touch()
    require_sources(str(tmp_path), annotations=str(tmp_path / "a.json"))
    with pytest.raises(ValueError, match=r"images=.*a\.json is not a folder"):
        require_sources(str(tmp_path / "a.json"))
    with pytest.raises(ValueError, match=r"captions=.* is not a file"):
        require_sources(str(tmp_path), captions=str(tmp_path))


def test_settings_tell_source_files_apart_by_their_content(tmp_path: Path) -> None:
    for name, size in (("a.json", 3), ("b.json", 5)):
        (tmp_path / name).write_bytes(b"x" * size)
    config = Config(
        annotations=str(tmp_path / "a.json"),
        images="i",
        out="o",
        limit=7,
        also=[str(tmp_path / "b.json"), str(tmp_path / "a.json")],
    )
    files = ("annotations", "captions", "also")
    a, b = (
        {"name": name, "bytes": size, "sha256": hashlib.sha256(b"x" * size).hexdigest()}
        for name, size in (("a.json", 3), ("b.json", 5))
    )
    assert source_settings(config, "source", files=files) == {
        "limit": 7,
        "source": "x",
        "annotations": a,
        "captions": None,
        "also": [b, a],
    }


def test_an_empty_name_is_not_the_working_directory() -> None:
    with pytest.raises(ValueError, match="images= is empty; is a variable of the shell not set"):
        require_sources("")
    with pytest.raises(ValueError, match="captions= is empty"):
        require_sources(".", captions=" ")
