"""The pictures of a benchmark: files of a folder, or bytes out of tables and data sets."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from PIL.Image import Image

from seal.files.digest import file_digest
from seal.images import open_image
from seal.images.files import UnreadableImageError


class BenchmarkImages(Protocol):
    """Pictures by name; nothing is decoded before it is opened."""

    def has(self, name: str) -> bool:
        """Whether there is such a picture; it may still be damaged."""
        ...

    def open(self, name: str) -> Image:
        """The picture as upright RGB.

        Raises:
            ValueError: it is missing, damaged or none at all.
        """
        ...

    def digest(self, name: str) -> str:
        """SHA-256 of the picture's bytes; "none" where there are none, or none can be made."""
        ...


class FolderImages:
    """Files, by their paths relative to a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def open(self, name: str) -> Image:
        return open_image(self.folder / name)

    def digest(self, name: str) -> str:
        return file_digest(self.folder / name) if self.has(name) else "none"


class BytesImages:
    """Encoded pictures that something else keeps: a column of a table, rows of a data set."""

    def __init__(self, origin: str, read: Mapping[str, Callable[[], bytes]]) -> None:
        """`origin`: for messages. `read`: name -> what fetches its bytes, once it is wanted."""
        self.origin = origin
        self._read = read

    def has(self, name: str) -> bool:
        return name in self._read

    def open(self, name: str) -> Image:
        if name not in self._read:
            raise UnreadableImageError(f"{self.origin} has no picture {name}")
        try:
            return open_image(io.BytesIO(self._read[name]()))
        except UnreadableImageError as error:  # it calls bytes "the image", or nothing
            raise UnreadableImageError(f"{self.origin}, picture {name}: {error}") from error

    def digest(self, name: str) -> str:
        if not self.has(name):
            return "none"
        try:
            return hashlib.sha256(self._read[name]()).hexdigest()
        except UnreadableImageError:  # made of a damaged picture; `open` says so, to its questions
            return "none"
