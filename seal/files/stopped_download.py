"""See in a compressed picture that its pixels end in zeros: a download that was stopped.

Some programs make a file at its full length first. What never came is zeros, which the decoders
of JPEG, WebP and AVIF take for gray or noise without a word.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_LEAST = 16  # zeros at the end of a file that make it worth a look
_SHARE = 16  # of the compressed pixels: a 16th in zeros is no end of theirs, flat as they may be
_LEAST_PIXELS = 64  # bytes
_PIXELS = (b"VP8 ", b"VP8L", b"ANMF", b"mdat")  # the parts of WebP and AVIF that hold them
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, b"\xff\xd9"


def stops_in_zeros(source: str | Path | BinaryIO) -> bool:
    """Whether the pixels of a JPEG, WebP or AVIF file, or its content, are zeros at the end.

    Zeros behind a whole picture, and in its metadata, are none of its pixels.
    """
    if isinstance(source, str | Path):
        with open(source, "rb") as file:
            return stops_in_zeros(file)
    source.seek(0, os.SEEK_END)
    source.seek(max(0, source.tell() - _LEAST))
    if source.read().strip(b"\0"):
        return False
    source.seek(0)
    content = source.read()
    if content.startswith(b"\xff\xd8"):
        # Segments before the pixels may hold a preview, which has an end of its own.
        return content.find(_END_OF_IMAGE, _jpeg_pixels(content)) < 0
    parts = _riff_chunks(content) if content.startswith(b"RIFF") else _boxes(content)
    for kind, start, end in parts:
        if kind in _PIXELS:
            zeros = end - start - len(content[start:end].rstrip(b"\0"))
            return zeros > max(_LEAST_PIXELS, (end - start) // _SHARE)
    return False


def _jpeg_pixels(content: bytes) -> int:
    """Where the compressed pixels begin; the end of the file if they never do."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        if content[at + 1] == _START_OF_SCAN:
            return at
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return len(content)


def _riff_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the chunks of a WebP file."""
    at = 12
    while at + 8 <= len(content):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        yield content[at : at + 4], at + 8, min(at + 8 + size, len(content))
        at += 8 + size + size % 2


def _boxes(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the outer boxes of an AVIF file."""
    at = 0
    while at + 16 <= len(content):
        size, header = int.from_bytes(content[at : at + 4], "big"), 8
        if size == 1:  # too large for four bytes
            size, header = int.from_bytes(content[at + 8 : at + 16], "big"), 16
        size = size or len(content) - at  # 0: to the end of the file
        yield content[at + 4 : at + 8], at + header, min(at + size, len(content))
        at += max(size, header)
