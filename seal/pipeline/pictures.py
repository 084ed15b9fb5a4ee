"""Whatever a caller calls an image to the upright RGB picture that the models are shown."""

from __future__ import annotations

import io
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias
from weakref import WeakValueDictionary

import numpy as np
from PIL import Image

from seal.images import open_image, stored_size, upright_rgb
from seal.text.quote import quoted

# A path, the bytes of an image file, a file opened for reading bytes, a PIL image, or an array
# (height, width), (height, width, 3) or (height, width, 4) of uint8, colors in the order RGB.
Picture: TypeAlias = (
    "str | PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray"
)
_UNTOLD = 4_000_000  # pixels: of an open file that was not read yet
_WAYS = (
    "give a path, the bytes of an image file, a PIL image or a numpy array "
    "(height, width, 3) of uint8"
)


def picture(image: Any) -> Image.Image:
    """Any `Picture` as loaded, upright RGB; the same object if it is that already.

    What is known about an image goes by its identity.

    Raises:
        ValueError: it is no image, an empty or damaged one, or an address.
    """
    if isinstance(image, str):
        check_path(image)
    if isinstance(image, str | PathLike):
        return open_image(Path(image))
    if isinstance(image, bytes | bytearray | memoryview):
        return open_image(io.BytesIO(bytes(image)))
    if isinstance(image, Image.Image):
        return upright_rgb(image)
    if isinstance(image, np.ndarray):
        return upright_rgb(_from_array(image))
    if hasattr(image, "read"):
        return _from_file(image)
    raise _no_picture(image)


def check_picture(image: Any) -> int:
    """Pixels that are kept once it is open, besides what the caller keeps; what `picture` would
    refuse is refused, as far as that is told before anything is decoded.

    Raises:
        ValueError: it is no image, an empty one, or an address.
    """
    if isinstance(image, str):
        check_path(image)
    if isinstance(image, str | PathLike):
        width, height = stored_size(Path(image))
    elif isinstance(image, bytes | bytearray | memoryview):
        width, height = stored_size(io.BytesIO(bytes(image)))
    elif isinstance(image, np.ndarray):
        _check_array(image)
        height, width = image.shape[:2]
    elif isinstance(image, Image.Image):
        return 0 if image.mode == "RGB" else image.width * image.height
    elif hasattr(image, "read"):
        return _UNTOLD
    else:
        raise _no_picture(image)
    return width * height


class OpenPictures:
    """Opens pictures when their turn comes, and that of a path once while somebody has it."""

    def __init__(self) -> None:
        self._by_path: WeakValueDictionary[Path, Image.Image] = WeakValueDictionary()

    def open(self, image: Any) -> Image.Image:
        """As `picture`, but the same object for a path whose picture is still in use: whatever is
        known about its image is shared.
        """
        if not isinstance(image, str | PathLike):
            return picture(image)
        path = Path(image)
        shown = self._by_path.get(path)
        if shown is None:
            shown = self._by_path[path] = picture(image)
        return shown


def check_path(image: str) -> None:
    """Refuse the address of an image where its path is wanted; nothing is fetched unasked.

    Raises:
        ValueError: it is an address (http, https, data, ...).
    """
    scheme, mark, _ = image.partition(":")
    if scheme.lower() == "data" or (mark and image[len(scheme) :].startswith("://")):
        raise ValueError(
            f"{quoted(image)} is an address, and nothing is fetched from there: download the image "
            "(curl -O ADDRESS) and give the file's path, or give its bytes"
        )


def _from_file(file: Any) -> Image.Image:
    content = file.read()
    if not isinstance(content, bytes):
        raise ValueError('an image file is opened for reading bytes: open(path, "rb")')
    return open_image(io.BytesIO(content))


def _no_picture(image: Any) -> ValueError:
    if image is None:
        return ValueError(f"there is no image: {_WAYS}")
    way = _WAYS
    if type(image).__module__.split(".")[0] == "torch":
        way = (
            "give a numpy array (height, width, 3) of uint8, for values from 0 to 1 "
            "(tensor.permute(1, 2, 0) * 255).byte().cpu().numpy()"
        )
    return ValueError(f"an image cannot be a {type(image).__name__}: {way}")


def _from_array(array: np.ndarray) -> Image.Image:
    _check_array(array)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return Image.fromarray(np.ascontiguousarray(array))


def _check_array(array: np.ndarray) -> None:
    shape = " x ".join(map(str, array.shape))
    told = f"a numpy array of {array.dtype}, {shape}, is no image"
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        raise ValueError(f"{told}: colors come last, array.transpose(1, 2, 0)")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ValueError(f"{told}: give (height, width, 3), of one image")
    if array.dtype != np.uint8:
        raise ValueError(
            f"{told}: give uint8, for values from 0 to 1 (array * 255).astype(numpy.uint8)"
        )
    if 0 in array.shape:
        raise ValueError(f"{told}: it is empty")
