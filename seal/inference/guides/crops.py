"""The crops a search looks at: each is encoded once, whatever is asked about it."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from seal.geometry import Box
from seal.images import padded_bytes, squared_bytes, stretched_bytes
from seal.inference.graphs import Graphs
from seal.inference.guides.prepared_pixels import PreparedPixels
from seal.inference.prefix_pool import PrefixPool
from seal.models.vsm import VSM
from seal.search.protocol import Patch

Key: TypeAlias = tuple[int, Box]  # identity of the image, region
FOR_PREFIXES = 7 / 8  # of the memory for crops; what the towers saw has the rest


@dataclass(slots=True)
class Crop:
    """One crop through the networks, as far as that was needed."""

    patch: Patch  # keeps the image alive: the cache goes by its identity
    vision: Tensor | None = None  # (T, C) of the vision tower
    detector: Tensor | None = None  # (G, G, C)
    slot: int | None = None  # where the beginning of every prompt about this crop lies
    states: dict[str, Tensor] = field(default_factory=dict)  # by name: (D,), what predicts `[LOC]`
    counted: int = 0  # bytes of it that the cache knows about

    @property
    def num_bytes(self) -> int:
        """Memory held on the device, without the slot."""
        held = (self.vision, self.detector, *self.states.values())
        return sum(t.nbytes for t in held if t is not None)


DetectorWork: TypeAlias = "deque[list[Crop]]"  # what is encoded together


class CropCache:
    """Encodes crops in batches and keeps those used last, up to a number of bytes."""

    def __init__(
        self,
        model: VSM,
        pool: PrefixPool,
        graphs: Graphs,
        *,
        max_bytes: int,
        threads: int | None = None,
    ) -> None:
        """`threads` resize pictures for each tower, which for large photographs takes longer than a
        GPU."""
        self.model, self.pool = model, pool
        self.max_bytes = max_bytes
        self.num_encoded = {"vision": 0, "detector": 0}
        self._held = 0
        self._crops: OrderedDict[Key, Crop] = OrderedDict()
        self._encode_images = graphs.captured("vision tower", model.encode_images)
        self._encode_detector = graphs.captured("detector", model.encode_detector)
        self._squares = PreparedPixels(self._squared, threads)
        self._frames = PreparedPixels(self._framed, threads)

    @property
    def num_bytes(self) -> int:
        """Memory held on the device, slots that nobody uses included."""
        return self._held + self.pool.num_bytes

    def get(self, patches: Sequence[Patch]) -> list[Crop]:
        """The crops, the same object for the same region of the same image."""
        crops = []
        for patch in patches:
            key = id(patch.image), patch.box
            crop = self._crops.setdefault(key, Crop(patch))
            self._crops.move_to_end(key)
            crops.append(crop)
        return crops

    def prepare(self, patches: Sequence[Patch]) -> None:
        """Begin with the pixels of what will probably be looked at next."""
        keys = [(id(patch.image), patch.box) for patch in patches]
        new = [patch for patch, key in zip(patches, keys, strict=True) if key not in self._crops]
        self._squares.ahead(new)
        self._frames.ahead(new)

    def need_vision(self, crops: Sequence[Crop]) -> None:
        """Run the vision tower on the crops it has not seen."""
        new = _distinct(crop for crop in crops if crop.vision is None)
        if new:
            features = self._encode_images(self._pixels(self._squares, new))
            for crop, own in zip(new, features, strict=True):
                crop.vision = own if len(new) == 1 else own.clone()  # not a view of the batch
            self.num_encoded["vision"] += len(new)

    def unseen_by_detector(self, crops: Sequence[Crop], parts: int = 1) -> DetectorWork:
        """The crops that the detector's backbone has not seen, divided into at most `parts`."""
        new = _distinct(crop for crop in crops if crop.detector is None)
        size = max(1, math.ceil(len(new) / parts))
        return deque(new[start : start + size] for start in range(0, len(new), size))

    def show_detector(self, work: DetectorWork) -> None:
        """Run the backbone, until nothing is left; several threads may share the work."""
        while work:
            try:
                crops = work.popleft()
            except IndexError:  # another was faster
                return
            features = self._encode_detector(self._pixels(self._frames, crops))
            for crop, own in zip(crops, features, strict=True):
                crop.detector = own if len(crops) == 1 else own.clone()

    def take_slots(self, count: int) -> list[int]:
        """Slots, sorted; if need be taken from the crops that were used longest ago.

        No crop that the last `get` named is among those, as long as it named no more than the pool
        has slots.
        """
        for crop in self._crops.values():
            if self.pool.num_left >= count:
                break
            self._free_slot(crop)
        return self.pool.take(count)

    def free_slots(self, crops: Iterable[Crop]) -> None:
        """Take back the slots of some crops."""
        for crop in crops:
            self._free_slot(crop)

    def trim(self, used: Iterable[Crop]) -> None:
        """Forget crops, those used longest ago, until the others fit beside the slots.

        used: what has grown since the last time.
        """
        for crop in used:
            if self._crops.get((id(crop.patch.image), crop.patch.box)) is crop:
                self._held += crop.num_bytes - crop.counted
                crop.counted = crop.num_bytes
        # Slots of one batch there must be, even if they take more than their share.
        room = self.max_bytes - min(self.pool.num_bytes, int(self.max_bytes * FOR_PREFIXES))
        while self._held > room:
            self._drop(next(iter(self._crops)))

    def keep_only(self, crops: Sequence[Crop]) -> bool:
        """Drop all other crops and the memory they took; whether there were any."""
        kept = set(map(id, crops))
        others = [key for key, crop in self._crops.items() if id(crop) not in kept]
        for key in others:
            self._drop(key)
        self.pool.give_memory_back()
        return bool(others)

    def forget(self, image: Image) -> None:
        """Drop every crop of an image."""
        self._squares.forget(image)
        self._frames.forget(image)
        for key in [key for key in self._crops if key[0] == id(image)]:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        crop = self._crops.pop(key)
        self._free_slot(crop)
        self._held -= crop.counted

    def _free_slot(self, crop: Crop) -> None:
        if crop.slot is not None:
            self.pool.give_back(crop.slot)
            crop.slot = None

    def _squared(self, patch: Patch) -> np.ndarray:
        """For the vision tower, the crop in the top left corner of its square."""
        vision = self.model.config.vision
        background = vision.normalization.background
        box = patch.box.as_ints()
        return squared_bytes(patch.image, box, vision.image_size, background)

    def _framed(self, patch: Patch) -> np.ndarray:
        """For the detector."""
        detector, box = self.model.config.detector, patch.box.as_ints()
        framed = padded_bytes if detector.fit == "pad" else stretched_bytes
        return framed(patch.image, box, detector.image_size)

    def _pixels(self, prepared: PreparedPixels, crops: Sequence[Crop]) -> Tensor:
        """(N, 3, S, S) bytes on the device."""
        made = prepared.get([crop.patch for crop in crops])
        pixels = torch.from_numpy(np.stack(made))
        return pixels.to(self.model.device, non_blocking=True)


def _distinct(crops: Iterable[Crop]) -> list[Crop]:
    """Each crop once, in order; several queries of a batch may look at the same one."""
    return list({id(crop): crop for crop in crops}.values())
