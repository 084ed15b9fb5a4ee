"""A file that is something else is called what it is."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from seal.files.kind import foreign_kind


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.json", "{}")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer"),
        (gzip.compress(b"{}", mtime=0), "compressed with gzip"),
        (zipped(), "a zip archive"),
        (b"\xef\xbb\xbf\n <!DOCTYPE html><html>", "an HTML page"),
        (b"<HTML><body>", "an HTML page"),
        ('{"a": 1}'.encode("utf-16"), "UTF-16"),
        ('{"a": 1}'.encode("utf-32"), "UTF-16 or UTF-32"),
        (b"", "empty"),
        (bytes(40), "begins with zeros"),
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b'{"a": 1}', None),
        (b'\xef\xbb\xbf{"a": 1}', None),
    ],
)
def test_each_kind_is_told_by_its_beginning(
    tmp_path: Path, content: bytes, kind: str | None
) -> None:
    (tmp_path / "a.json").write_bytes(content)
    told = foreign_kind(tmp_path / "a.json")
    assert told is None if kind is None else kind in str(told)
