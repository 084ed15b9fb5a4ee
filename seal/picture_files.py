"""The one door for picture files: whatever can be seen comes out as upright RGB, or is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin, UnidentifiedImageError

from seal.files.kind import foreign_kind
from seal.images import BACKGROUND

MOST_PIXELS = 500_000_000  # 1.5 GB as RGB; what is larger is more likely a damaged header
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
_BITS_PER_SAMPLE = 258  # the TIFF tag
_DEPTHS = (255, 4095, 65535)  # the largest gray of 8, 12 and 16 bits


class _RefusedError(ValueError):
    """A sound file that is not taken for a picture."""


def open_image(path: str | Path) -> Image.Image:
    """Read an image file as upright RGB.

    Transparent images are laid on the padding color, deeper ones scaled to 8 bits, and the
    camera's orientation tag is applied. Metadata that is not read is not judged either.

    Raises:
        ValueError: the file is missing, empty, truncated, too large or not an image.
    """
    with _opened(path) as opened:
        opened.load()
        return to_rgb(upright(opened))


def image_file_size(path: str | Path) -> tuple[int, int]:
    """Width and height of the image as `open_image` shows it, read from its header alone.

    Raises:
        ValueError: as `open_image`, as far as the header tells.
    """
    with _opened(path) as opened:
        width, height = opened.size
        return (height, width) if orientation(opened) >= 5 else (width, height)


def stored_size(path: str | Path) -> tuple[int, int]:
    """Width and height as they are stored: the camera's orientation tag is not applied."""
    with _opened(path) as opened:
        return opened.size


def orientation(image: Image.Image) -> int:
    """The camera's tag, 1 to 8; 1 (upright) where there is none that can be read."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow parses the whole block, which cameras and tools fill with anything
        return 1
    return int(value) if isinstance(value, int | float) and value in _TURNS else 1


def upright(image: Image.Image) -> Image.Image:
    """The image as the camera's orientation tag says; the same object if it stands already."""
    turn = _TURNS.get(orientation(image))
    return image if turn is None else image.transpose(turn)


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB without losing what can be seen.

    Raises:
        ValueError: floating-point values that are no brightness.
    """
    if image.mode == "RGB":
        return image.copy()
    if image.mode.startswith("I") or image.mode == "F":
        return _gray_to_8_bits(image).convert("RGB")
    if image.mode == "LAB":
        return _lab_to_rgb(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        ground = Image.new("RGBA", rgba.size, (*BACKGROUND, 255))
        return Image.alpha_composite(ground, rgba).convert("RGB")
    return image.convert("RGB")


def _gray_to_8_bits(image: Image.Image) -> Image.Image:
    """Pillow clips wide gray values at 255; scale them instead.

    The file's own depth counts. Where it says 16 bits or more, which is also how 8 and 12 bits are
    kept, the smallest of 8, 12 and 16 bits that holds the brightest pixel does.
    """
    values = np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all() or (image.mode == "F" and values.min() < 0):
        raise _RefusedError(
            f"gray values from {values.min():g} to {values.max():g} are no brightness; save the "
            "image with 8 or 16 bits"
        )
    top = float(values.max())
    if image.mode == "F" and top <= 1:
        full = 1.0
    else:
        full = _full_gray(image) or next((depth for depth in _DEPTHS if top <= depth), top)
    return Image.fromarray((values / full * 255).clip(0, 255).round().astype(np.uint8))


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
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """The file as Pillow opens it; what goes wrong inside the block names the file."""
    path = Path(path)
    if not path.is_file():
        why = "is a folder" if path.is_dir() else "does not exist"
        raise ValueError(f"{path}: {why}; give the path of an image file")
    size = ""
    try:
        if path.stat().st_size == 0:
            raise _RefusedError("the file is empty (0 bytes); download or export it again")
        with _own_limits(), Image.open(path) as opened:
            width, height = opened.size
            size = f" of {width} x {height} pixels"
            if width * height > MOST_PIXELS:
                raise _RefusedError(
                    f"{width} x {height} pixels are more than the {MOST_PIXELS:,} that "
                    "are read; make the image smaller or cut it into parts"
                )
            yield opened
    except _RefusedError as error:
        raise ValueError(f"{path}: {error}") from None
    except UnidentifiedImageError:
        kind = foreign_kind(path) or "it is in no format that Pillow reads"
        raise ValueError(f"{path}: not an image: {kind}") from None
    except PermissionError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error
    except MemoryError as error:
        raise ValueError(f"{path}: too little memory for an image{size}; shrink it") from error
    except Exception as error:
        # Pillow's decoders and their plug-ins raise almost anything for a damaged file.
        told = str(error) or type(error).__name__
        raise ValueError(
            f"{path}: the image is damaged and cannot be decoded: {told}; download or export it "
            "again"
        ) from error


_limits = threading.Lock()
_inside = 0  # how many are at it
_theirs: tuple[int | None, int, int] = (None, 0, 0)


@contextmanager
def _own_limits() -> Iterator[None]:
    """Pillow's limits on pixels and texts, which are of the whole process, out of our way."""
    global _inside, _theirs
    with _limits:
        if _inside == 0:
            _theirs = (
                Image.MAX_IMAGE_PIXELS,
                PngImagePlugin.MAX_TEXT_CHUNK,
                PngImagePlugin.MAX_TEXT_MEMORY,
            )
            Image.MAX_IMAGE_PIXELS = None  # MOST_PIXELS instead
            # A long comment is no reason to refuse a photo; these bound what a bomb can take.
            PngImagePlugin.MAX_TEXT_CHUNK = 1 << 28
            PngImagePlugin.MAX_TEXT_MEMORY = 1 << 29
        _inside += 1
    try:
        yield
    finally:
        with _limits:
            _inside -= 1
            if _inside == 0:
                Image.MAX_IMAGE_PIXELS = _theirs[0]
                PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = _theirs[1:]
