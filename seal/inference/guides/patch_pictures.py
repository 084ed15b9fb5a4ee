"""The pictures of patches that a model was shown last: each is made once, whatever is asked."""

from __future__ import annotations

from collections import OrderedDict

from PIL.Image import Image

from seal.geometry import Box
from seal.images import pad_to_square, to_rgb
from seal.search.protocol import Patch

MOST_PIXELS = 100_000_000  # of all that are kept: 300 MB


class PatchPictures:
    """Gives the same picture for the same region of the same image, while it is kept.

    Models that prepare a picture once go by its identity. The whole of an image is the image.
    """

    def __init__(self, most_pixels: int = MOST_PIXELS) -> None:
        self.most_pixels = most_pixels
        self._pixels = 0
        # The image is kept alive, so that its identity is not reused.
        self._kept: OrderedDict[tuple[int, Box, bool], tuple[Image, Image]] = OrderedDict()

    def get(self, patch: Patch, *, square: bool = False) -> Image:
        """`square`: padded to one."""
        image = patch.image
        whole = patch.box.as_ints() == (0, 0, *image.size)
        if whole and not (square and image.width != image.height):
            return image
        key = id(image), patch.box, square
        if key not in self._kept:
            picture = image if whole else patch.crop()
            if square:
                picture, _ = pad_to_square(to_rgb(picture))
            self._kept[key] = image, picture
            self._pixels += picture.width * picture.height
        self._kept.move_to_end(key)
        made = self._kept[key][1]
        while self._pixels > self.most_pixels and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))
        return made

    def forget(self, image: Image) -> list[Image]:
        """Drop the pictures of an image; what was dropped."""
        keys = [key for key in self._kept if key[0] == id(image)]
        return [self._drop(key) for key in keys]

    def _drop(self, key: tuple[int, Box, bool]) -> Image:
        _, picture = self._kept.pop(key)
        self._pixels -= picture.width * picture.height
        return picture
