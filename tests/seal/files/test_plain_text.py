"""A text is read whatever wrote it; what is none is named with its file."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from seal.files.plain_text import opened, read_json_file, read_text


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('["\u00e9"]', encoding="utf-8-sig")
    assert read_text(path) == '["\u00e9"]' and read_json_file(path) == ["\u00e9"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'["\xe9"]', "not UTF-8: byte 0xe9 .*save it as UTF-8"),
        (gzip.compress(b"[]", mtime=0), "compressed with gzip; unpack it"),
        (b"", "it is empty"),
        (b'{"a": 1', "is not JSON: .*is the file complete"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_no_json_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"a\.json.*{message}"):
        read_json_file(path)


def test_a_folder_and_an_error_of_the_disk_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is a folder; name a file in it"):
        read_text(tmp_path)
    (tmp_path / "a").write_text("x")
    with (
        pytest.raises(ValueError, match=r"a cannot be read: Input/output error"),
        opened(tmp_path / "a"),
    ):
        raise OSError(5, "Input/output error")
