"""The images of tool calls: data URLs, and files under the folders that the server may read."""

from __future__ import annotations

import base64
import binascii
import io
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from seal.images import stored_size
from seal.images.limits import own_limits
from seal.pipeline.pictures import picture
from seal.text.quote import quoted

# What is taken for an image: no format whose reader runs other programs.
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM", "JPEG2000")
_BASE64_LEAST = 64  # characters; what is shorter is rather the name of a file


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """How large an image may be that a call brings or names."""

    bytes: int = 64 << 20  # of its file
    pixels: int = 120_000_000  # an 8K picture has 33 million

    def __post_init__(self) -> None:
        for name in ("bytes", "pixels"):
            if getattr(self, name) < 1:
                raise ValueError(f"the limit on {name} of an image is at least 1")


class CalledImages:
    """Opens what tool calls name as images; nothing is read from a network."""

    def __init__(self, folders: Sequence[Path] = (), limits: ImageLimits | None = None) -> None:
        """`folders`: the only ones on this disk that are read, with all that is in them.

        Raises:
            ValueError: one of them is no folder.
        """
        self.limits = limits or ImageLimits()
        for folder in folders:
            if not folder.is_dir():
                raise ValueError(f"--images {folder}: no such folder; name one that is there")
        Image.init()  # all of Pillow's formats are known from here on
        self.folders = [folder.resolve() for folder in folders]

    def open(self, given: object) -> Image.Image:
        """The upright RGB picture.

        given: data:image/...;base64,..., base64 alone, or a path: absolute, or relative to one of
            the folders.

        Raises:
            ValueError: it is none of these, lies elsewhere, is too large, or no image.
        """
        content = self._content(given)
        if len(content) > self.limits.bytes:
            raise ValueError(
                f"the image's file has {len(content):,} bytes, and {self.limits.bytes:,} are read: "
                "make it smaller"
            )
        _check_format(content)
        width, height = stored_size(io.BytesIO(content))
        if width * height > self.limits.pixels:
            raise ValueError(
                f"the image has {width} x {height} pixels, and {self.limits.pixels:,} are read: "
                "make it smaller"
            )
        return picture(content)

    def _content(self, given: object) -> bytes:
        if not isinstance(given, str) or not given:
            raise ValueError(
                f"image is a data URL or a path, as text, not {quoted(given)[:100]}: give "
                "data:image/png;base64,..."
            )
        if given[:5].lower() == "data:":
            return self._data(given)
        if "://" in given[:32]:
            raise ValueError(
                f"{quoted(given)[:100]} is an address, and nothing is fetched from there: give the "
                "image itself as a data URL"
            )
        if len(given) >= _BASE64_LEAST and not given.startswith(("/", ".", "~")):
            content = self._base64(given)
            if content is not None:
                return content
        return self._file(given)

    def _data(self, given: str) -> bytes:
        head, comma, data = given.partition(",")
        if not comma or not head.lower().endswith(";base64"):
            raise ValueError("a data URL of an image begins with data:image/png;base64, (or jpeg)")
        content = self._base64(data)
        if content is None:
            raise ValueError("what follows base64, in the data URL is no base64")
        return content

    def _base64(self, data: str) -> bytes | None:
        if len(data) * 3 // 4 > self.limits.bytes + 3:
            raise ValueError(
                f"the image's file has about {len(data) * 3 // 4:,} bytes, and "
                f"{self.limits.bytes:,} are read: make it smaller"
            )
        try:
            return base64.b64decode("".join(data.split()), validate=True)
        except (binascii.Error, ValueError):
            return None

    def _file(self, given: str) -> bytes:
        if not self.folders:
            raise ValueError(
                "this server reads no files: give the image as a data URL, or start the server "
                "with --images FOLDER"
            )
        if "\0" in given or len(given) > 4096:
            raise ValueError("that is no path of a file")
        for folder in self.folders:
            # Links are followed here and judged by where they lead; `_read` follows none.
            try:
                path = (folder / given).resolve()
            except (OSError, RuntimeError, UnicodeError):
                continue
            if path.is_relative_to(folder) and path != folder:
                content = _read(folder, path.relative_to(folder).parts, self.limits.bytes)
                if content is not None:
                    return content
        # The same words for what is not there and for what is elsewhere: nothing is told of either.
        raise ValueError(
            f"{quoted(given)[:200]} is no file in the folders that this server reads: "
            f"{', '.join(map(str, self.folders))}"
        )


def _read(folder: Path, parts: Sequence[str], most: int) -> bytes | None:
    """The bytes of a file (one more than `most` of a longer one), reached without following a
    link that somebody put there since; None: there is no such file.
    """
    opened: list[int] = []
    try:
        opened.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
        for part in parts[:-1]:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            opened.append(os.open(part, flags, dir_fd=opened[-1]))
        # A pipe that nobody writes to would be waited for.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        opened.append(os.open(parts[-1], flags, dir_fd=opened[-1]))
        if not stat.S_ISREG(os.fstat(opened[-1]).st_mode):
            return None
        with os.fdopen(opened.pop(), "rb") as file:
            return file.read(most + 1)
    except (OSError, UnicodeError):
        return None
    finally:
        for each in opened:
            os.close(each)


def _check_format(content: bytes) -> None:
    try:
        known = [name for name in FORMATS if name in Image.OPEN]
        with own_limits(), Image.open(io.BytesIO(content), formats=known):
            return
    except UnidentifiedImageError:
        raise ValueError(
            f"the image is in none of the formats that are read ({', '.join(FORMATS)}), or damaged"
        ) from None
    except Exception as error:  # Pillow's plug-ins raise almost anything for a damaged file
        raise ValueError(
            f"the image is damaged: {' '.join(str(error).split())[:100] or type(error).__name__}"
        ) from error
