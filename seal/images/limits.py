"""How large a picture may be that is opened, and Pillow's own limits out of the way."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, PngImagePlugin

# Pillow keeps four bytes a pixel: 2 GB. What is larger is more likely a damaged header.
MOST_PIXELS = 500_000_000
MOST_PIXELS_VARIABLE = "SEAL_MOST_PIXELS"  # of the environment: another number in its place


def most_pixels() -> int:
    """Pixels of the largest picture that is opened: `MOST_PIXELS`, or what the environment says.

    Raises:
        ValueError: the environment says no positive whole number.
    """
    said = os.environ.get(MOST_PIXELS_VARIABLE, "").strip()
    if not said:
        return MOST_PIXELS
    digits = said.replace("_", "")
    if not (digits.isascii() and digits.isdecimal() and int(digits) > 0):
        raise ValueError(
            f"{MOST_PIXELS_VARIABLE}={said[:100]} in the environment is no number of pixels; give "
            f"a whole one, as in {MOST_PIXELS_VARIABLE}={MOST_PIXELS}, or unset it"
        )
    return int(digits)


_lock = threading.Lock()
_inside = 0  # how many are at it
_warnings: warnings.catch_warnings[None]
_theirs: tuple[int | None, int, int] = (None, 0, 0)


@contextmanager
def own_limits() -> Iterator[None]:
    """Pillow's limits on pixels and texts out of our way, and its warnings about metadata.

    All of them are of the whole process: the first who enters sets them, the last restores them.
    """
    global _inside, _theirs, _warnings
    with _lock:
        if _inside == 0:
            _theirs = (
                Image.MAX_IMAGE_PIXELS,
                PngImagePlugin.MAX_TEXT_CHUNK,
                PngImagePlugin.MAX_TEXT_MEMORY,
            )
            Image.MAX_IMAGE_PIXELS = None  # `most_pixels` instead
            # A long comment is no reason to refuse a photo; these bound what a bomb can take.
            PngImagePlugin.MAX_TEXT_CHUNK = 1 << 28
            PngImagePlugin.MAX_TEXT_MEMORY = 1 << 29
            _warnings = warnings.catch_warnings()
            _warnings.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _warnings.__exit__(None, None, None)
                Image.MAX_IMAGE_PIXELS = _theirs[0]
                PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = _theirs[1:]
