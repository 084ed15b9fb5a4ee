"""Unpack archives from the internet: nothing leaves the folder, no link is made."""

from __future__ import annotations

import re
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

_DRIVE = re.compile(r"[A-Za-z]:")
_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")


def is_archive(name: str) -> bool:
    """Whether `unpack` reads such a file."""
    return name.endswith(_SUFFIXES)


def unpack(archive: Path, folder: Path) -> int:
    """Write the files of a zip or tar archive below `folder` and return how many there are.

    A file appears under its own name once it is whole; what is there with the right size stays.

    Raises:
        ValueError: the archive is damaged, holds something that is neither file nor folder, or a
            path that leaves `folder`; or the disk is too small.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if archive.name.endswith(".zip"):
            with zipfile.ZipFile(archive) as opened:
                _check_room(archive, folder, sum(m.file_size for m in opened.infolist()))
                return _write(_zip_members(archive, opened), folder, archive)
        with tarfile.open(archive) as tar:
            return _write(_tar_members(archive, tar), folder, archive)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of this machine
        raise ValueError(f"{archive}: the archive is damaged: {error}; delete it") from error


def safe_path(archive: Path, name: str) -> PurePosixPath:
    """The relative path a member may be written to."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or _DRIVE.match(name):
        raise ValueError(f"{archive}: member {name!r} would be written outside its folder")
    if "\0" in name or not path.parts:
        raise ValueError(f"{archive}: member {name!r} has no usable name")
    return path


_Member = tuple[PurePosixPath, int, IO[bytes]]


def _zip_members(archive: Path, opened: zipfile.ZipFile) -> Iterator[_Member]:
    for member in opened.infolist():
        path = safe_path(archive, member.filename)
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ValueError(f"{archive}: member {member.filename!r} is a link or a device")
        if member.is_dir():
            continue
        with opened.open(member) as file:
            yield path, member.file_size, file


def _tar_members(archive: Path, tar: tarfile.TarFile) -> Iterator[_Member]:
    for member in tar:
        if member.name in (".", "./"):
            continue
        path = safe_path(archive, member.name)
        if member.isdir():
            continue
        file = tar.extractfile(member) if member.isreg() else None
        if file is None:
            raise ValueError(f"{archive}: member {member.name!r} is a link or a device")
        with file:
            yield path, member.size, file


def _write(members: Iterator[_Member], folder: Path, archive: Path) -> int:
    count = 0
    root = folder.resolve()
    for name, size, file in tqdm(members, f"unpack {archive.name}", unit="file"):
        path = root.joinpath(*name.parts)
        count += 1
        if path.is_file() and path.stat().st_size == size:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        # A link that lies there from before could lead away.
        if not path.parent.resolve().is_relative_to(root):
            raise ValueError(f"{archive}: {path} leads outside {folder}")
        partial = path.with_name(path.name + ".partial")
        with partial.open("wb") as written:
            shutil.copyfileobj(file, written, 1 << 20)
        partial.replace(path)
    return count


def _check_room(archive: Path, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ValueError(
            f"{archive}: unpacked it takes {needed / 1e9:.1f} GB, {folder} has "
            f"{free / 1e9:.1f} GB left"
        )
