"""What a network made of the crops it has seen: each is encoded once, whatever is asked of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from PIL.Image import Image
from torch import Tensor

from seal.geometry import Box
from seal.search.protocol import Patch

Features: TypeAlias = tuple[Tensor, ...]  # of one crop
Encode: TypeAlias = Callable[[list[Patch]], list[Features]]


@dataclass(slots=True)
class _Seen:
    image: Image  # kept alive: the cache goes by its identity
    features: Features
    num_bytes: int


class FeatureCache:
    """The features of the crops that were used last, up to a number of bytes."""

    def __init__(self, encode: Encode, *, max_bytes: int) -> None:
        """`encode` is given distinct crops that are not known, all of one call at once."""
        self.encode = encode
        self.max_bytes = max_bytes
        self.num_bytes = 0
        self.num_encoded = 0
        self._seen: OrderedDict[tuple[int, Box], _Seen] = OrderedDict()

    def get(self, patches: Sequence[Patch]) -> list[Features]:
        """The features of each patch, in order; the same object for the same region of an image."""
        keys = [(id(patch.image), patch.box) for patch in patches]
        wanted = dict(zip(keys, patches, strict=True))
        new = [key for key in wanted if key not in self._seen]
        if new:
            made = self.encode([wanted[key] for key in new])
            for key, features in zip(new, made, strict=True):
                size = sum(tensor.nbytes for tensor in features)
                self._seen[key] = _Seen(wanted[key].image, features, size)
                self.num_bytes += size
            self.num_encoded += len(new)
        for key in wanted:
            self._seen.move_to_end(key)
        found = [self._seen[key].features for key in keys]
        while self.num_bytes > self.max_bytes and self._seen:
            self.num_bytes -= self._seen.popitem(last=False)[1].num_bytes
        return found

    def forget(self, image: Image) -> None:
        """Drop every crop of an image."""
        for key in [key for key in self._seen if key[0] == id(image)]:
            self.num_bytes -= self._seen.pop(key).num_bytes
