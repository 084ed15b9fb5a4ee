"""Which images searches still need, so that what is known about the others can be dropped."""

from __future__ import annotations

from collections import Counter

from PIL.Image import Image


class HeldImages:
    """Counts who holds each image; images are told apart by identity."""

    def __init__(self) -> None:
        self._holders: Counter[int] = Counter()
        self.num_pixels = 0  # of all of them

    def __contains__(self, image: Image) -> bool:
        return id(image) in self._holders

    def hold(self, image: Image) -> None:
        """One more needs it, and keeps it alive."""
        if image not in self:
            self.num_pixels += image.width * image.height
        self._holders[id(image)] += 1

    def release(self, image: Image) -> bool:
        """One less needs it; whether that was the last."""
        self._holders[id(image)] -= 1
        if self._holders[id(image)]:
            return False
        del self._holders[id(image)]
        self.num_pixels -= image.width * image.height
        return True
