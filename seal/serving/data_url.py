"""A picture that came inside a request, as a data URL: its bytes, checked before it is decoded.

Nothing else is taken: no path, no address. Of the formats that Pillow reads, some run programs or
read other files, so only those that browsers show are let through.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import struct

from PIL import Image, UnidentifiedImageError

from seal.images.limits import own_limits
from seal.serving.errors import RequestError, bad
from seal.text.quote import quoted

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
_HEAD = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[\w.+-]+)*);base64\Z", re.ASCII)
_LONGEST_HEAD = 200  # characters before the comma
# What a JPEG can be. A picture of one row of millions of pixels is a small file, and takes minutes
# to make smaller, while everybody waits.
LONGEST_SIDE = 65_535
_PNG = b"\x89PNG\r\n\x1a\n"
# Compressed texts and profiles of a PNG: nobody sees them, and a few bytes can be gigabytes.
_UNSEEN = (b"zTXt", b"iCCP", b"iTXt")


def read_data_url(url: str, max_pixels: int, param: str) -> bytes:
    """The bytes of the image file; not decoded, but its header is read.

    Raises:
        RequestError: it is no data URL, no picture, or one of too many pixels or too long a side.
    """
    head, comma, _ = url[:_LONGEST_HEAD].partition(",")
    if not url[:5].lower() == "data:":
        raise bad(
            f"{quoted(url)} is no data URL: nothing is fetched or opened for a request; send the "
            "picture inside it, as data:image/png;base64,...",
            param,
        )
    if not comma or not _HEAD.match(head):
        raise bad(
            f"{quoted(head)} is no head of a picture: send data:image/png;base64,... (or jpeg, "
            "webp, gif, bmp)",
            param,
        )
    try:
        content = base64.b64decode(url[len(head) + 1 :].encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise bad("what follows base64, is not base64, or cut off", param) from None
    content = _without_unseen(content)
    width, height = _size(content, param)
    if width * height > max_pixels:
        raise RequestError(
            413,
            f"the picture has {width} x {height} pixels, more than the {max_pixels:,} that this "
            "server takes: make it smaller, or send a part of it",
            param=param,
            code="image_too_large",
        )
    if max(width, height) > LONGEST_SIDE:
        raise RequestError(
            413,
            f"the picture has {width} x {height} pixels, and a side of more than "
            f"{LONGEST_SIDE:,} is not taken: make it smaller, or send a part of it",
            param=param,
            code="image_too_large",
        )
    return content


def _size(content: bytes, param: str) -> tuple[int, int]:
    try:
        with own_limits(), Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            width, height = opened.size
    except UnidentifiedImageError:
        raise bad(
            f"the picture is none, or in no format that is taken ({', '.join(FORMATS)})"
            if content
            else "the picture is empty (0 bytes)",
            param,
        ) from None
    except Exception as error:  # Pillow raises almost anything for a damaged file
        raise bad(f"the picture is damaged: {error}", param) from None
    if width < 1 or height < 1:
        raise bad(f"the picture has {width} x {height} pixels", param)
    return width, height


def _without_unseen(content: bytes) -> bytes:
    """A PNG without its compressed texts and profiles; anything else as it is."""
    if not content.startswith(_PNG):
        return content
    kept, at = [_PNG], len(_PNG)
    while at + 12 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        kind, end = content[at + 4 : at + 8], at + 12 + length
        if kind not in _UNSEEN or _plain(kind, content[at + 8 : end - 4]):
            kept.append(content[at:end])
        at = end
    return b"".join([*kept, content[at:]])


def _plain(kind: bytes, chunk: bytes) -> bool:
    """A text that is not compressed, such as XMP, which can say how a photo is held."""
    _, null, rest = chunk.partition(b"\0")
    return kind == b"iTXt" and bool(null) and rest[:1] == b"\0"
