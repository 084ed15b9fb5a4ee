"""Pictures for a chat endpoint: within the pixel budget, known by their pixels, sent as PNG."""

from __future__ import annotations

import base64
import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from PIL import Image

from seal.images import to_rgb

_KEPT_BYTES = 64 * 2**20  # of encoded pictures: questions about one picture follow each other


@dataclass(frozen=True, slots=True)
class SentPicture:
    """A picture as it is sent: RGB, nothing but pixels."""

    image: Image.Image
    digest: str  # of its size and pixels

    @property
    def pixels(self) -> int:
        return self.image.width * self.image.height


class ChatPictures:
    """Prepares pictures; a lossless format, so that the server sees the pixels that are here."""

    def __init__(self, max_pixels: int | None, tell: Callable[[str], None]) -> None:
        """`max_pixels`: of one picture, larger ones are resized; None sends all as they are.

        `tell`: is told of the first picture that is resized.
        """
        self.max_pixels = max_pixels
        self.tell = tell
        self.resized = 0  # pictures so far
        self._kept: OrderedDict[str, str] = OrderedDict()  # digest to data URL
        self._under_way: dict[str, Future[str]] = {}
        self._lock = threading.Lock()

    def size(self, image: Image.Image) -> tuple[int, int]:
        """(width, height) at which a picture is sent."""
        return _within(image.size, self.max_pixels)

    def prepare(self, image: Image.Image) -> SentPicture:
        image = to_rgb(image)
        size = self.size(image)
        if size != image.size:
            self.resized += 1
            if self.resized == 1:
                (w, h), (to_w, to_h) = image.size, size
                self.tell(
                    f"a picture of {w} x {h} is more than max_pixels={self.max_pixels} and is "
                    f"shown at {to_w} x {to_h}, as will be others; raise max_pixels to show more"
                )
            image = image.resize(size, Image.Resampling.BICUBIC)
        pixels = image.tobytes()
        digest = hashlib.sha256(f"{image.width}x{image.height}:".encode() + pixels).hexdigest()
        # Without what a file says of it: profiles, transparent colours.
        return SentPicture(Image.frombytes("RGB", image.size, pixels), digest)

    def url(self, picture: SentPicture) -> str:
        """The picture as a data URL. May be called by many threads; the first of them encodes."""
        digest = picture.digest
        with self._lock:
            if (kept := self._kept.get(digest)) is not None:
                self._kept.move_to_end(digest)
                return kept
            made = self._under_way.get(digest)
            if made is None:
                own = self._under_way[digest] = Future()
        if made is not None:
            return made.result()
        try:
            own.set_result(_encoded(picture.image))
        except Exception as error:
            own.set_exception(error)
        with self._lock:
            del self._under_way[digest]
            if own.exception() is None:
                self._kept[digest] = own.result()
            while sum(map(len, self._kept.values())) > _KEPT_BYTES and len(self._kept) > 1:
                self._kept.popitem(last=False)
        return own.result()


def _encoded(image: Image.Image) -> str:
    import cv2  # writes PNG in a third of Pillow's time, as small, and lets other threads run

    written, file = cv2.imencode(".png", np.asarray(image)[:, :, ::-1])
    assert written
    return f"data:image/png;base64,{base64.b64encode(file.tobytes()).decode()}"


def _within(size: tuple[int, int], most: int | None) -> tuple[int, int]:
    """The largest size of the same shape with `most` pixels at most."""
    width, height = size
    if most is None or width * height <= most:
        return size
    scale = math.sqrt(most / (width * height))
    width = min(max(1, int(width * scale)), most)
    return width, min(max(1, int(height * scale)), most // width)
