"""Files appear whole, and with the permissions that the umask gives."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from seal.files.whole import follow_umask, write_whole


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        written = write_whole(tmp_path / "a.json", "{}")
        (tmp_path / "b").touch(mode=0o600)
        follow_umask(tmp_path / "b")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (written, tmp_path / "b")] == [mode, mode]


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_whole(tmp_path / "a", "old")
    write_whole(tmp_path / "a", b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "new"


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none/a cannot be written: No such file"):
        write_whole(tmp_path / "none" / "a", "")
