from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loopback import Loopback, loopback

from seal.building.sources.download import DownloadError, fetch_file, verify_file

BODY = np.random.default_rng(0).bytes(3_000_000)
SHA = f"sha256:{hashlib.sha256(BODY).hexdigest()}"
MD5 = f"md5:{hashlib.md5(BODY).hexdigest()}"


@pytest.fixture
def server() -> Iterator[Loopback]:
    with loopback() as server:
        yield server


def get(server: Loopback, path: Path, page: str = "/file", **more: Any) -> list[float]:
    """Fetch, and return the pauses that were made."""
    pauses: list[float] = []
    fetch_file(server.url(page), path, sleep=pauses.append, **more)
    assert not list(path.parent.glob("*.partial*"))
    return pauses


@pytest.mark.parametrize("checksum", [None, SHA, MD5])
def test_a_file_arrives_whole(server: Loopback, tmp_path: Path, checksum: str | None) -> None:
    server.add("/file", BODY)
    path = tmp_path / "deep" / "file"
    assert get(server, path, size=len(BODY), checksum=checksum) == []
    assert path.read_bytes() == BODY
    verify_file(path, len(BODY), checksum)


def test_an_interrupted_transfer_goes_on_where_it_stopped(server: Loopback, tmp_path: Path) -> None:
    server.add("/file", BODY, cut=[1_000_000, 500_000])
    pauses = get(server, tmp_path / "file", checksum=SHA)
    assert (tmp_path / "file").read_bytes() == BODY
    ranges = [asked for _, asked in server.asked]
    assert ranges == [None, "bytes=1000000-", "bytes=1500000-"]
    assert pauses == [1.0, 1.0]  # each brought something: the pause does not grow


def test_the_next_call_goes_on_with_what_an_earlier_one_left(
    server: Loopback, tmp_path: Path
) -> None:
    page = server.add("/file", BODY, cut=[1_000_000], headers={})
    page.statuses = []
    url, path = server.url("/file"), tmp_path / "file"
    with pytest.raises(KeyboardInterrupt):
        fetch_file(url, path, sleep=_interrupt)
    assert not path.exists() and (tmp_path / "file.partial").stat().st_size == 1_000_000
    get(server, path, checksum=SHA)
    assert path.read_bytes() == BODY and server.asked[-1][1] == "bytes=1000000-"


def _interrupt(_: float) -> None:
    raise KeyboardInterrupt


def test_a_transfer_that_only_lacked_its_name_is_not_repeated(
    server: Loopback, tmp_path: Path
) -> None:
    (tmp_path / "file.partial").write_bytes(BODY)
    notes = {"url": server.url("/file"), "validator": '"one"', "total": len(BODY)}
    (tmp_path / "file.partial.json").write_text(json.dumps(notes))
    get(server, tmp_path / "file", checksum=SHA)
    assert server.asked == []


def test_a_server_without_ranges_sends_the_whole_file_again(
    server: Loopback, tmp_path: Path
) -> None:
    server.add("/file", BODY, ranges=False, cut=[1_000_000])
    get(server, tmp_path / "file", checksum=SHA)
    assert (tmp_path / "file").read_bytes() == BODY
    assert [asked for _, asked in server.asked] == [None, "bytes=1000000-"]


def test_a_file_that_changed_between_attempts_is_read_from_its_beginning(
    server: Loopback, tmp_path: Path
) -> None:
    page = server.add("/file", b"old" * 1_000_000, cut=[1_000_000])

    def change(_: float) -> None:
        page.body, page.etag = BODY, '"two"'

    fetch_file(server.url("/file"), tmp_path / "file", checksum=SHA, sleep=change)
    assert (tmp_path / "file").read_bytes() == BODY


@pytest.mark.parametrize("grown", [b"", b"more"])
def test_without_an_etag_a_changed_file_shows_by_its_size_or_its_checksum(
    server: Loopback, tmp_path: Path, grown: bytes
) -> None:
    page = server.add("/file", bytes(len(BODY)), etag=None, cut=[1_000_000])

    def change(_: float) -> None:
        page.body = BODY + grown

    wanted = f"sha256:{hashlib.sha256(BODY + grown).hexdigest()}"
    fetch_file(server.url("/file"), tmp_path / "file", checksum=wanted, sleep=change)
    assert (tmp_path / "file").read_bytes() == BODY + grown


def test_a_redirect_is_followed_and_resumed_behind(server: Loopback, tmp_path: Path) -> None:
    server.add("/file", redirect=server.url("/there"))
    server.add("/there", BODY, cut=[1_000_000])
    get(server, tmp_path / "file", checksum=SHA)
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.asked[-1] == ("/there", "bytes=1000000-")


def test_what_passes_is_tried_again_with_growing_pauses(server: Loopback, tmp_path: Path) -> None:
    server.add("/file", BODY, statuses=[503, 500, 502])
    assert get(server, tmp_path / "file") == [1.0, 2.0, 4.0]


def test_a_server_that_names_a_pause_gets_it(server: Loopback, tmp_path: Path) -> None:
    server.add("/file", BODY, statuses=[429], headers={"Retry-After": "7"})
    assert get(server, tmp_path / "file") == [7.0]


@pytest.mark.parametrize(
    ("how", "more", "message"),
    [
        ({"statuses": [404]}, {}, "/file: the server answers 404"),
        ({"statuses": [403]}, {}, "the server answers 403"),
        ({"statuses": [503] * 9}, {"retries": 2}, "503 .*3 times in a row.*from 0 bytes"),
        ({}, {"checksum": "md5:00"}, "md5 .* instead of 00; the file there is another one"),
        ({}, {"size": 5}, "the server offers 3000000 bytes, not 5"),
    ],
)
def test_what_cannot_be_had_is_named_and_leaves_nothing_under_its_name(
    server: Loopback, tmp_path: Path, how: Any, more: Any, message: str
) -> None:
    server.add("/file", BODY, **how)
    with pytest.raises(DownloadError, match=message):
        get(server, tmp_path / "file", **more)
    assert not (tmp_path / "file").exists()


def test_a_damaged_part_of_an_earlier_call_is_read_again_once(
    server: Loopback, tmp_path: Path
) -> None:
    server.add("/file", BODY)
    (tmp_path / "file.partial").write_bytes(bytes(1_000_000))
    notes = {"url": server.url("/file"), "validator": '"one"', "total": len(BODY)}
    (tmp_path / "file.partial.json").write_text(json.dumps(notes))
    get(server, tmp_path / "file", checksum=SHA)
    assert (tmp_path / "file").read_bytes() == BODY
    assert [asked for _, asked in server.asked] == ["bytes=1000000-", None]


def test_no_server_and_no_http_are_named(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="no connection"):
        fetch_file("http://127.0.0.1:1/x", tmp_path / "x", retries=1, sleep=lambda _: None)
    with pytest.raises(DownloadError, match="only http and https"):
        fetch_file("file:///etc/hostname", tmp_path / "x")


def test_a_file_on_disk_is_compared(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"ab")
    with pytest.raises(ValueError, match="x: 2 bytes instead of 3"):
        verify_file(tmp_path / "x", 3, None)
