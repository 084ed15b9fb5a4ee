"""Pictures that several threads open, each once while anybody has it."""

from __future__ import annotations

import hashlib
import threading
from os import PathLike
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from PIL import Image

from seal.pipeline.pictures import picture


class SharedPictures:
    """The same object for equal bytes, and for the same path, while its picture is in use.

    What is known about an image goes by its identity: those who ask about the same one share it.
    """

    def __init__(self) -> None:
        self._held: WeakValueDictionary[Path | bytes, Image.Image] = WeakValueDictionary()
        self._lock = threading.Lock()
        # Of each that is being opened; Pillow spoils a picture that two threads begin to read.
        self._locks: dict[Path | bytes | int, tuple[threading.Lock, int]] = {}

    def open(self, given: Any) -> Image.Image:
        """As `seal.pipeline.pictures.picture`."""
        key = _key(given)
        with self._lock:
            lock, users = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = lock, users + 1
        try:
            with lock:
                shown = None if isinstance(key, int) else self._held.get(key)
                if shown is None:
                    shown = picture(given)
                    if not isinstance(key, int):
                        with self._lock:
                            self._held[key] = shown
                return shown
        finally:
            with self._lock:
                lock, users = self._locks[key]
                if users == 1:
                    del self._locks[key]
                else:
                    self._locks[key] = lock, users - 1


def _key(given: Any) -> Path | bytes | int:
    """What makes two pictures the same; the identity of what is no file's content."""
    if isinstance(given, bytes | bytearray | memoryview):
        return hashlib.sha256(given).digest()
    if isinstance(given, str | PathLike):
        return Path(given)
    return id(given)
