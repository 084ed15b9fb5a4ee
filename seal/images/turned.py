"""The camera's orientation tag, and an image turned as it says, a large one in little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from seal.images.limits import own_limits

_ORIENTATION = 0x0112  # the EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_VIEWS: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # the same, of (height, width, 3)
    2: lambda rows: rows[:, ::-1],
    3: lambda rows: rows[::-1, ::-1],
    4: lambda rows: rows[::-1],
    5: lambda rows: rows.swapaxes(0, 1),
    6: lambda rows: np.rot90(rows, 3),
    7: lambda rows: rows[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}
_WITH_ORIENTATION = (
    "exif",
    "Raw profile type exif",
    "xmp",
    "XML:com.adobe.xmp",
)  # what may hold the tag
_LARGE = 1 << 24  # pixels from which less memory is worth more time
_BAND_PIXELS = 1 << 20


def orientation(image: Image.Image) -> int:
    """The camera's tag, 1 to 8; 1 (upright) where there is none that can be read."""
    try:
        with own_limits():
            value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow parses the whole block, which cameras and tools fill with anything
        return 1
    return int(value) if isinstance(value, int | float) and value in _TURNS else 1


def upright(image: Image.Image, *, close: bool = False) -> Image.Image:
    """The image as the camera's orientation tag says; the same object if it stands already.

    close: the image that was given is not needed any more, and may be closed.
    """
    tag = orientation(image)
    if tag not in _TURNS:
        return image
    if close and image.mode == "RGB" and image.width * image.height >= _LARGE:
        turned = _turned_in_place(image, tag)
    else:
        turned = image.transpose(_TURNS[tag])
    for block in _WITH_ORIENTATION:
        turned.info.pop(block, None)  # nobody may turn it once more
    return turned


def _turned_in_place(image: Image.Image, tag: int) -> Image.Image:
    """An RGB image turned; it is closed.

    Pillow keeps four bytes a pixel, and turns into another image. Here it is taken out in three
    bytes, closed, and put together again: never more than one and three quarters of it.
    """
    rows = np.empty((image.height, image.width, 3), np.uint8)
    for top, bottom in _bands(rows):
        rows[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    info = dict(image.info)
    image.close()
    view = _VIEWS[tag](rows)
    turned = Image.new("RGB", (view.shape[1], view.shape[0]))
    turned.info = info
    for top, bottom in _bands(view):
        turned.paste(Image.fromarray(np.ascontiguousarray(view[top:bottom])), (0, top))
    return turned


def _bands(rows: np.ndarray) -> Iterator[tuple[int, int]]:
    """First row and the one behind the last, of some rows at a time."""
    step = max(1, _BAND_PIXELS // rows.shape[1])
    for top in range(0, len(rows), step):
        yield top, min(top + step, len(rows))
