"""Open a file of text or JSON, whatever wrote it; what is no such file is called what it is."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from seal.files.kind import foreign_kind_of

_HEAD = 512  # bytes that tell what a file is


@contextmanager
def opened(path: str | Path) -> Iterator[IO[bytes]]:
    """A file that should be UTF-8, open for reading behind its byte order mark if it has one.

    Raises:
        ValueError: it is a folder, something else than text, or the disk does not give it; names
            the file. What the disk refuses within the block counts too.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            if kind := foreign_kind_of(head):
                raise ValueError(f"{path}: byte 0: {kind}; is the file complete?")
            file.seek(len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0)
            yield file
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from error


def read_text(path: str | Path) -> str:
    """The whole of a small file in UTF-8; a ValueError names one that is not."""
    with opened(path) as file:
        raw = file.read()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: {not_utf8(error)}") from error


def read_json_file(path: str | Path) -> Any:
    """The value in a small JSON file; a ValueError names one that holds none."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}; is the file complete?") from error
    except ValueError as error:  # a number of too many digits
        raise ValueError(f"{path} cannot be read: {error}") from error
    except RecursionError as error:
        raise ValueError(f"{path} is not JSON: nested too deep") from error


def not_utf8(error: UnicodeDecodeError) -> str:
    """What to say of bytes that are no UTF-8."""
    wrong = error.object[error.start : error.start + 1].hex()
    return f"not UTF-8: byte 0x{wrong} (an older encoding, such as Latin-1?); save it as UTF-8"
