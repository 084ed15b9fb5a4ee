"""The one door for picture files: whatever can be seen comes out as upright RGB, or is refused."""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from seal.files.kind import foreign_kind
from seal.files.stopped_download import stops_in_zeros
from seal.images.limits import MOST_PIXELS_VARIABLE, most_pixels, own_limits
from seal.images.pixels import BACKGROUND
from seal.images.turned import orientation, upright

_BITS_PER_SAMPLE = 258  # the TIFF tag
_DEPTHS = (255, 4095, 65535)  # the largest gray of 8, 12 and 16 bits
_MOST_QUOTED = 100  # characters of what Pillow says
_LONGEST_NAME = 4096  # characters of a path, about what systems allow
_BAND_PIXELS = 1 << 22  # that are laid on the padding color at a time: 16 MB


class UnreadableImageError(ValueError):
    """A picture file that is missing, damaged, or none at all."""


class _RefusedError(ValueError):
    """A sound file that is not taken for a picture."""


def open_image(path: str | Path | BinaryIO) -> Image.Image:
    """Read an image file, or its content, as upright RGB; the first of several pages or frames.

    Transparent images are laid on the padding color, deeper ones scaled to 8 bits, and the
    camera's orientation tag is applied. Metadata that is not read is not judged either.

    Raises:
        UnreadableImageError: the file is missing, empty, truncated, too large or not an image.
    """
    with _opened(path) as opened:
        opened.load()
        if opened.format in ("JPEG", "MPO", "WEBP", "AVIF") and stops_in_zeros(path):
            raise _RefusedError(
                "its pixels end in zeros, as when a download was stopped; download it again"
            )
        shown = to_rgb(upright(opened, close=True))
        # The pixels without their file; a copy would be a second one in memory.
        return opened._new(opened.im) if shown is opened else shown


def upright_rgb(image: Image.Image, name: str = "the image") -> Image.Image:
    """An image that is already open, as `open_image` shows its file; the same object if it can be.

    Args:
        name: what an error calls it.

    Raises:
        ValueError: it is empty or damaged, or its values are no brightness.
    """
    with _named(name):
        if min(image.size) < 1:
            raise _RefusedError(f"it is empty: {image.width} x {image.height} pixels")
        image.load()  # a file opened lazily would be read, or found damaged, deep inside
        return to_rgb(upright(image))


def image_file_size(path: str | Path | BinaryIO) -> tuple[int, int]:
    """Width and height of the image as `open_image` shows it, read from its header alone.

    Raises:
        ValueError: as `open_image`, as far as the header tells.
    """
    with _opened(path) as opened:
        width, height = opened.size
        return (height, width) if orientation(opened) >= 5 else (width, height)


def stored_size(path: str | Path | BinaryIO) -> tuple[int, int]:
    """Width and height as they are stored: the camera's orientation tag is not applied."""
    with _opened(path) as opened:
        return opened.size


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB without losing what can be seen; the same object if it is that already.

    Raises:
        ValueError: floating-point values that are no brightness.
    """
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _gray_to_8_bits(image).convert("RGB")
    if image.mode == "LAB":
        return _lab_to_rgb(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return _on_ground(image)
    return image.convert("RGB")


def _on_ground(image: Image.Image) -> Image.Image:
    """A transparent image on the padding color, some rows at a time: all would be there 4 times."""
    shown = Image.new("RGB", image.size)
    step = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, step):
        box = (0, top, image.width, min(top + step, image.height))
        rgba = image.crop(box).convert("RGBA")
        ground = Image.new("RGBA", rgba.size, (*BACKGROUND, 255))
        shown.paste(Image.alpha_composite(ground, rgba).convert("RGB"), (0, top))
    return shown


def _gray_to_8_bits(image: Image.Image) -> Image.Image:
    """Pillow clips wide gray values at 255; scale them instead.

    The file's own depth counts. Where it says 16 bits or more, which is also how 8 and 12 bits are
    kept, the smallest of 8, 12 and 16 bits that holds the brightest pixel does.
    """
    values = np.asarray(image)
    low, top = float(values.min()), float(values.max())
    if image.mode == "F":
        if not (low >= 0 and top <= 255):  # also if there is one that is no number
            raise _no_brightness(low, top, "from 0 to 1 or from 0 to 255")
        values = values * (255 if top <= 1 else 1)
        return Image.fromarray(values.round().astype(np.uint8))
    if top > _DEPTHS[-1]:
        raise _no_brightness(low, top, f"up to {_DEPTHS[-1]}")
    full = _full_gray(image) or next(depth for depth in _DEPTHS if top <= depth)
    table = (np.arange(_DEPTHS[-1] + 1) / full * 255).clip(0, 255).round().astype(np.uint8)
    return Image.fromarray(table[values.clip(0)])


def _no_brightness(low: float, top: float, known: str) -> _RefusedError:
    return _RefusedError(
        f"gray values from {low:g} to {top:g} are no brightness, of which {known} is known; save "
        "the image with 8 or 16 bits"
    )


def _full_gray(image: Image.Image) -> int | None:
    """White, where the file says how deep its gray is and that is no whole number of bytes."""
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))
    depth = bits[0] if isinstance(bits, tuple) and bits else bits
    return (1 << depth) - 1 if isinstance(depth, int) and 8 < depth < 16 else None


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    """CIE L*a*b* to sRGB, which Pillow converts only by profiles."""
    converted = ImageCms.profileToProfile(
        image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert converted is not None  # it is None only in place
    return converted


@contextmanager
def _opened(source: str | Path | BinaryIO) -> Iterator[Image.Image]:
    """The file as Pillow opens it; what goes wrong inside the block names the file."""
    path = Path(source) if isinstance(source, str | Path) else None
    most = most_pixels()
    with _named("the image's bytes" if path is None else str(path)):
        if path is not None:
            _check_file(path)
        try:
            with own_limits(), Image.open(path or source) as opened:
                width, height = opened.size
                if width * height > most:
                    raise _RefusedError(
                        f"{width} x {height} pixels are more than the {most:,} that are read; make "
                        "the image smaller, cut it into parts, or set the environment variable "
                        f"{MOST_PIXELS_VARIABLE}={width * height} (four bytes of memory a pixel)"
                    )
                yield opened
        except UnidentifiedImageError:
            kind = foreign_kind(path) if path is not None else None
            kind = kind or "it is in no format that Pillow reads, or cut off"
            raise _RefusedError(f"not an image: {kind}") from None


def _check_file(path: Path) -> None:
    try:
        kind = path.stat()
    except PermissionError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null character
        why = "does not exist"
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
            why = "is a longer name than a file can have"
        raise _RefusedError(f"{why}; give the path of an image file") from None
    if not stat.S_ISREG(kind.st_mode):
        why = "is a folder" if stat.S_ISDIR(kind.st_mode) else "is a device or a pipe"
        raise _RefusedError(f"{why}; give the path of an image file")
    if kind.st_size == 0:
        raise _RefusedError("the file is empty (0 bytes); download or export it again")


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Whatever is raised inside, as one `ValueError` that begins with a name."""
    name = name[:_LONGEST_NAME]
    try:
        yield
    except _RefusedError as error:
        raise UnreadableImageError(f"{name}: {error}") from None
    except PermissionError as error:
        raise UnreadableImageError(
            f"{name}: you may not read it ({error.strerror}); see `ls -l`"
        ) from error
    except MemoryError as error:
        raise ValueError(f"{name}: too little memory for an image this large; shrink it") from error
    except Exception as error:
        # Pillow's decoders and their plug-ins raise almost anything for a damaged file.
        told = " ".join(str(error).split())[:_MOST_QUOTED] or type(error).__name__
        raise UnreadableImageError(
            f"{name}: the image is damaged and cannot be decoded: {told}; download or export it "
            "again"
        ) from error
