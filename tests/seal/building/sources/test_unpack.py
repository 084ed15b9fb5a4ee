from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from seal.building.sources.unpack import unpack


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, members: dict[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(content) * (kind == tarfile.REGTYPE), kind
            entry.linkname = "/etc/passwd"
            archive.addfile(entry, io.BytesIO(content))
    return path


FILES = {"train/a.jpg": b"aa", "train/deep/b.jpg": b"b", "readme": b""}


@pytest.mark.parametrize(("make", "name"), [(zipped, "x.zip"), (tarred, "x.tar.gz")])
def test_every_file_is_written(tmp_path: Path, make, name: str) -> None:
    archive = make(tmp_path / name, FILES)
    assert unpack(archive, tmp_path / "out") == 3
    found = {
        path.relative_to(tmp_path / "out").as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert found == FILES


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil"])
@pytest.mark.parametrize(("make", "suffix"), [(zipped, ".zip"), (tarred, ".tar.gz")])
def test_nothing_is_written_outside(tmp_path: Path, make, suffix: str, name: str) -> None:
    archive = make(tmp_path / f"x{suffix}", {"good": b"1", name: b"2"})
    with pytest.raises(ValueError, match="would be written outside its folder"):
        unpack(archive, tmp_path / "out")
    assert not [path for path in tmp_path.rglob("*evil*")]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_is_refused(tmp_path: Path, kind: bytes) -> None:
    archive = tarred(tmp_path / "x.tar.gz", {"link": b""}, kind)
    with pytest.raises(ValueError, match="'link' is a link or a device"):
        unpack(archive, tmp_path / "out")


def test_a_link_inside_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ValueError, match="'link' is a link or a device"):
        unpack(tmp_path / "x.zip", tmp_path / "out")


def test_a_link_that_lies_in_the_folder_is_not_followed_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "train").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="leads outside"):
        unpack(zipped(tmp_path / "x.zip", FILES), tmp_path / "out")


@pytest.mark.parametrize(("make", "name"), [(zipped, "x.zip"), (tarred, "x.tar.gz")])
def test_a_damaged_archive_is_named(tmp_path: Path, make, name: str) -> None:
    archive = make(tmp_path / name, {"a": bytes(range(256)) * 64})
    archive.write_bytes(archive.read_bytes()[:-40])
    with pytest.raises(ValueError, match=rf"{name}: the archive is damaged"):
        unpack(archive, tmp_path / "out")


def test_a_file_cut_short_by_a_stopped_run_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "out" / "train").mkdir(parents=True)
    (tmp_path / "out" / "train" / "a.jpg").write_bytes(b"a")
    unpack(zipped(tmp_path / "x.zip", FILES), tmp_path / "out")
    assert (tmp_path / "out" / "train" / "a.jpg").read_bytes() == b"aa"
    assert not list(tmp_path.rglob("*.partial"))


def test_a_full_disk_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 1})
    monkeypatch.setattr("seal.building.sources.unpack.shutil.disk_usage", lambda _: usage)
    with pytest.raises(ValueError, match="unpacked it takes"):
        unpack(zipped(tmp_path / "x.zip", FILES), tmp_path / "out")
