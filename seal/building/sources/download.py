"""Fetch one file over HTTP: resumed where it stopped, verified, renamed when it is whole."""

from __future__ import annotations

import email.message
import hashlib
import http.client
import json
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from seal.failure import FailedError

PARTIAL = ".partial"
_BLOCK = 1 << 20  # bytes read at once
_AGAIN = (408, 425, 429, 500, 502, 503, 504)  # statuses that pass
_LONGEST_PAUSE = 300.0  # seconds, whatever a server asks for


class DownloadError(FailedError):
    """The file could not be had. The message names the address and what can be done."""


class _ChangedError(Exception):
    """What was read so far is of another file."""


class _BrokenError(Exception):
    """The connection ended before the file did."""


def fetch_file(
    url: str,
    path: Path,
    *,
    size: int | None = None,
    checksum: str | None = None,
    retries: int = 6,
    pause: float = 1.0,
    timeout: float = 60.0,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Fetch `url` into `path`, which appears once it is whole and verified.

    What arrived of an interrupted transfer is kept as `path`.partial and continued by the next
    call, if the server says that the file is still the same one.

    Args:
        size: bytes; None: unknown.
        checksum: `md5:HEX` or `sha256:HEX`; None: unknown.
        retries: attempts in a row that bring nothing before this gives up.
        pause: seconds before the first retry; doubled each time.
        timeout: seconds without a byte.

    Raises:
        DownloadError: the server refuses, keeps failing, or sends something else.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    transfer = _Transfer(url, path, size, timeout)
    failures = changes = 0
    restarted = False
    while True:
        before = transfer.bytes_here()
        try:
            transfer.run()
        except _ChangedError as error:
            transfer.forget()
            changes += 1
            if changes > retries:
                raise DownloadError(
                    f"{url}: the server sends another file each time; fetch it by hand"
                ) from error
            continue
        except (OSError, http.client.HTTPException, _BrokenError) as error:
            wait = _refused(url, error)
            failures = 0 if transfer.bytes_here() > before else failures + 1
            if failures > retries:
                raise DownloadError(
                    f"{url}: {_reason(error)}, {failures} times in a row; give the same command "
                    f"again later, it goes on from {transfer.bytes_here()} bytes"
                ) from error
            # Noise of its own is not needed: one client asks for one file.
            sleep(wait if wait is not None else min(pause * 2 ** max(failures - 1, 0), 60.0))
            continue
        problem = _wrong(transfer.partial, size, checksum)
        if problem is None:
            break
        resumed = transfer.resumed
        transfer.forget()
        if not resumed or restarted:
            raise DownloadError(
                f"{url}: {problem}; the file there is another one, or was damaged on its way: "
                "look at its page, or put a good copy in place by hand"
            )
        restarted = True  # the part that was kept may have been the bad one
    transfer.partial.replace(path)
    transfer.notes.unlink(missing_ok=True)


def verify_file(path: Path, size: int | None, checksum: str | None) -> None:
    """Raise a ValueError that says what is wrong with a file that is on disk."""
    if problem := _wrong(path, size, checksum):
        raise ValueError(f"{path}: {problem}")


class _Transfer:
    """The state of one file on its way."""

    def __init__(self, url: str, path: Path, size: int | None, timeout: float) -> None:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise DownloadError(f"{url}: only http and https addresses are fetched")
        self.url = url
        self.size = size
        self.timeout = timeout
        self.partial = path.with_name(path.name + PARTIAL)
        self.notes = path.with_name(path.name + PARTIAL + ".json")
        self.resumed = False  # whether some bytes are of an earlier connection

    def bytes_here(self) -> int:
        return self.partial.stat().st_size if self.partial.is_file() else 0

    def forget(self) -> None:
        self.partial.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)
        self.resumed = False

    def run(self) -> None:
        """One connection; returns when the file is whole."""
        have, notes = self.bytes_here(), self._read_notes()
        headers = {"Accept-Encoding": "identity", "User-Agent": "seal"}
        total = notes.get("total")
        if have and have == total:
            self.resumed = True
            return
        if have and (notes.get("validator") or total):
            headers["Range"] = f"bytes={have}-"
            # With it the server sends the whole file if that is no longer the same one.
            if notes.get("validator"):
                headers["If-Range"] = notes["validator"]
        request = urllib.request.Request(self.url, headers=headers)
        try:
            response = urllib.request.urlopen(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
                raise _ChangedError from error
            raise
        with response:
            if response.status == http.HTTPStatus.PARTIAL_CONTENT:
                first, total_now = _content_range(response.headers)
                if first != have or (total and total_now and total != total_now):
                    raise _ChangedError
                total, mode = total_now or total, "ab"
                self.resumed = True
            else:  # the server knows no ranges, or the file has changed
                have, total, mode = 0, _length(response.headers), "wb"
                self.resumed = False
            if self.size is not None and total is not None and total != self.size:
                raise DownloadError(
                    f"{self.url}: the server offers {total} bytes, not {self.size}: the file there "
                    "is another one; look at its page"
                )
            free = shutil.disk_usage(self.partial.parent).free
            if total is not None and total - have > free:
                raise DownloadError(
                    f"{self.url}: {(total - have) / 1e9:.1f} GB to come, "
                    f"{self.partial.parent} has {free / 1e9:.1f} GB left"
                )
            self._write_notes(response.headers, total)
            self._read(response, mode, have, total)

    def _read(self, response: Any, mode: str, have: int, total: int | None) -> None:
        name = self.partial.name.removesuffix(PARTIAL)
        with (
            self.partial.open(mode) as file,
            tqdm(desc=name, total=total, initial=have, unit="B", unit_scale=True) as bar,
        ):
            while block := response.read(_BLOCK):
                file.write(block)
                bar.update(len(block))
        if total is not None and self.bytes_here() < total:
            raise _BrokenError(f"the connection ended at byte {self.bytes_here()} of {total}")

    def _read_notes(self) -> dict[str, Any]:
        try:
            notes: dict[str, Any] = json.loads(self.notes.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            return {}
        return notes if notes.get("url") == self.url else {}

    def _write_notes(self, headers: email.message.Message, total: int | None) -> None:
        tag = headers.get("ETag", "")
        # A weak tag says that the content means the same, not that its bytes are the same.
        validator = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")
        notes = {"url": self.url, "validator": validator, "total": total}
        self.notes.write_text(json.dumps(notes), encoding="utf-8")


def _refused(url: str, error: BaseException) -> float | None:
    """Raise what no retry can help; else the seconds the server asks to wait, if it does."""
    if isinstance(error, urllib.error.HTTPError):
        if error.code not in _AGAIN:
            raise DownloadError(f"{url}: {_reason(error)}") from error
        after = error.headers.get("Retry-After", "")
        return min(float(after), _LONGEST_PAUSE) if after.isdigit() else None
    if isinstance(error, OSError) and not isinstance(
        error, urllib.error.URLError | TimeoutError | ConnectionError
    ):
        raise error  # of this machine: a full disk, say
    return None


def _reason(error: BaseException) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"no connection ({error.reason})"
    return str(error) or type(error).__name__


def _length(headers: email.message.Message) -> int | None:
    text = headers.get("Content-Length", "")
    return int(text) if text.isdigit() else None


def _content_range(headers: email.message.Message) -> tuple[int, int | None]:
    """First byte and size of the whole, of `bytes 10-19/20`."""
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
    if match is None:
        raise _ChangedError
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _wrong(path: Path, size: int | None, checksum: str | None) -> str | None:
    """What is wrong with a file."""
    found = path.stat().st_size
    if size is not None and found != size:
        return f"{found} bytes instead of {size}"
    if checksum is None:
        return None
    kind, _, wanted = checksum.partition(":")
    digest = hashlib.new(kind, usedforsecurity=False)
    with (
        path.open("rb") as file,
        tqdm(desc=f"{kind} {path.name}", total=found, unit="B", unit_scale=True) as bar,
    ):
        while block := file.read(_BLOCK):
            digest.update(block)
            bar.update(len(block))
    if digest.hexdigest() != wanted.lower():
        return f"{kind} {digest.hexdigest()} instead of {wanted}"
    return None
