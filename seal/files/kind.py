"""What a file is, judged by its first bytes, when it is not what it should be."""

from __future__ import annotations

import codecs
from pathlib import Path

_HEAD = 512  # bytes that are looked at
_WIDE = "it is in UTF-16 or UTF-32; save it as UTF-8"
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "it is a Git LFS pointer, not the file: run `git lfs pull`"),
    (b"\x1f\x8b", "it is compressed with gzip; unpack it"),
    (b"PK\x03\x04", "it is a zip archive; unpack it"),
    (b"BZh", "it is compressed with bzip2; unpack it"),
    (b"\xfd7zXZ", "it is compressed with xz; unpack it"),
    (b"\x28\xb5\x2f\xfd", "it is compressed with zstandard; unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "it is a 7z archive; unpack it"),
    (b"Rar!", "it is a RAR archive; unpack it"),
    (b"%PDF", "it is a PDF"),
    (b"\x89PNG", "it is a PNG picture"),
    (b"\xff\xd8\xff", "it is a JPEG picture"),
    (b"\x00\x05\x16\x07", "it holds macOS metadata (AppleDouble), not the file; remove it"),
    (codecs.BOM_UTF32_LE, _WIDE),
    (codecs.BOM_UTF32_BE, _WIDE),
    (codecs.BOM_UTF16_LE, _WIDE),
    (codecs.BOM_UTF16_BE, _WIDE),
)


def foreign_kind(path: str | Path) -> str | None:
    """What a file is and the way out, as half a sentence; None: nothing that is known here.

    An error of the disk is the caller's: nothing is caught.
    """
    with Path(path).open("rb") as file:
        return foreign_kind_of(file.read(_HEAD))


def foreign_kind_of(head: bytes) -> str | None:
    """`foreign_kind` of a file that begins with `head`."""
    if not head:
        return "it is empty (0 bytes); download or export it again"
    if not head.strip(b"\0"):
        return "it begins with zeros; the download was not finished, fetch it again"
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return kind
    text = head.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if not text:
        return "it begins with nothing but blanks; download or export it again"
    if text.startswith((b"<!doctype html", b"<html")):
        return (
            "it is an HTML page, such as a login or error page saved in its place; fetch it again"
        )
    if text.startswith(b"<?xml"):
        return "it is XML; convert it first"
    if any(len(side) > 1 and not side.strip(b"\0") for side in (head[1:64:2], head[0:64:2])):
        return _WIDE  # without its mark: every other byte of plain letters is zero
    return None
