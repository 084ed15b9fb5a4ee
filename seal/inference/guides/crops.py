"""The crops a search looks at: each is encoded once, whatever is asked about it."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from seal.geometry import Box
from seal.images import owl_pixels, pad_to_square, tower_pixels
from seal.inference.prefix import Prefix
from seal.models.vsm import VSM
from seal.search.protocol import Patch

Key = tuple[int, Box]  # identity of the image, region


@dataclass(slots=True)
class Crop:
    """One crop through the networks, as far as that was needed."""

    patch: Patch  # keeps the image alive: the cache goes by its identity
    vision: Tensor | None = None  # (T, C) of the vision tower
    detector: Tensor | None = None  # (G, G, C)
    prefix: Prefix | None = None  # of every prompt about this crop
    counted: int = 0  # bytes of it that the cache knows about

    @property
    def num_bytes(self) -> int:
        """Memory held on the device."""
        held = [t.nbytes for t in (self.vision, self.detector) if t is not None]
        return sum(held) + (self.prefix.num_bytes if self.prefix is not None else 0)


class CropCache:
    """Encodes crops in batches and keeps those used last, up to a number of bytes."""

    def __init__(self, model: VSM, *, max_bytes: int, threads: int | None = None) -> None:
        """`threads` resize pictures, which for large photographs takes longer than a GPU."""
        self.model = model
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self.num_encoded = {"vision": 0, "detector": 0}
        self._crops: OrderedDict[Key, Crop] = OrderedDict()
        self._threads = ThreadPoolExecutor(threads or min(8, os.cpu_count() or 1))

    def get(self, patches: Sequence[Patch]) -> list[Crop]:
        """The crops, the same object for the same region of the same image."""
        crops = []
        for patch in patches:
            key = id(patch.image), patch.box
            crop = self._crops.setdefault(key, Crop(patch))
            self._crops.move_to_end(key)
            crops.append(crop)
        return crops

    def need_vision(self, crops: Sequence[Crop]) -> None:
        """Run the vision tower on the crops it has not seen."""
        new = _distinct(crop for crop in crops if crop.vision is None)
        if new:
            pixels = self._pixels(new, self._squared)
            for crop, features in zip(new, self.model.encode_images(pixels), strict=True):
                crop.vision = features.clone()  # not a view that keeps the whole batch
            self.num_encoded["vision"] += len(new)

    def need_detector(self, crops: Sequence[Crop]) -> None:
        """Run the detector's backbone on the crops it has not seen."""
        new = _distinct(crop for crop in crops if crop.detector is None)
        if new:
            detector = self.model.config.detector
            pixels = self._pixels(
                new, lambda image: owl_pixels(image, detector.image_size, detector.fit)
            )
            for crop, features in zip(new, self.model.encode_detector(pixels), strict=True):
                crop.detector = features.clone()
            self.num_encoded["detector"] += len(new)

    def trim(self, used: Iterable[Crop]) -> None:
        """Forget until the budget holds: first prefixes, which are large, then whole crops.

        used: what has grown since the last time.
        """
        for crop in used:
            if self._crops.get((id(crop.patch.image), crop.patch.box)) is crop:
                self._count(crop)
        for crop in self._crops.values():
            if self.num_bytes <= self.max_bytes:
                return
            crop.prefix = None
            self._count(crop)
        while self.num_bytes > self.max_bytes and self._crops:
            self.num_bytes -= self._crops.popitem(last=False)[1].counted

    def forget(self, image: Image) -> None:
        """Drop every crop of an image."""
        for key in [key for key in self._crops if key[0] == id(image)]:
            self.num_bytes -= self._crops.pop(key).counted

    def _count(self, crop: Crop) -> None:
        self.num_bytes += crop.num_bytes - crop.counted
        crop.counted = crop.num_bytes

    def _squared(self, image: Image) -> np.ndarray:
        """(3, S, S) of the vision tower, the picture in the top left corner of its square."""
        vision = self.model.config.vision
        square, _ = pad_to_square(image, "top_left", vision.normalization.background)
        return tower_pixels(square, vision.image_size, vision.normalization)

    def _pixels(self, crops: Sequence[Crop], prepare: Callable[[Image], np.ndarray]) -> Tensor:
        """(N, 3, S, S) on the device; each picture is cut out and resized in a thread."""
        made = self._threads.map(lambda crop: torch.from_numpy(prepare(crop.patch.crop())), crops)
        return torch.stack(list(made)).to(self.model.device)


def _distinct(crops: Iterable[Crop]) -> list[Crop]:
    """Each crop once, in order; several queries of a batch may look at the same one."""
    return list({id(crop): crop for crop in crops}.values())
