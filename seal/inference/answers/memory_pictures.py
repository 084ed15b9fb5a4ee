"""The pictures of a visual working memory as a VQA LLM is shown them, kept while their image is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL.Image import Image
from torch import Tensor

from seal.batch import Visual
from seal.data.tower_input import TowerInput
from seal.geometry import Box
from seal.images import black, context_crop, normalize_bytes, squared_bytes, tower_pixels
from seal.models.vqa import VQAModel
from seal.working_memory import VisualWorkingMemory

# Prepared: a question shows its image in the first pass and later, its crops to every option.
KEPT_TILES = 256
TILES_A_PASS = 32  # through the tower, or through a router, which reads all of their tokens
_Key = tuple[int, Box | None, bool]  # identity of the image, the box that is cut out, how


@dataclass(slots=True, eq=False)
class Picture:
    """What the tower is shown of an image, or of a crop."""

    image: Image  # kept alive, so that its identity, the key, is not used again
    tiles: tuple[Tensor, ...]  # each (3, S, S); one tensor object a tile, so batches encode it once
    features: Tensor | None = None  # (tiles, T, C) of the tower, where they are kept


class MemoryPictures:
    """Of one model, whose tower sees them."""

    def __init__(self, model: VQAModel) -> None:
        self.model = model
        vision = model.config.vision
        self.tower = TowerInput(
            vision.image_size, vision.num_tokens, vision.normalization.background,
            model.config.tiles,
        )  # fmt: skip
        self._kept: OrderedDict[_Key, Picture] = OrderedDict()

    def __len__(self) -> int:
        """Pictures that are kept."""
        return len(self._kept)

    def visuals(
        self, memory: VisualWorkingMemory, *, image_long: bool, objects_long: bool
    ) -> list[Visual]:
        """The whole image and each crop as they stand in a row, without any pixel."""
        if memory.image is None:
            return []
        return self.tower.visuals(
            memory.image.size, _boxes(memory), image_long=image_long, objects_long=objects_long
        )

    def of(
        self, memory: VisualWorkingMemory, *, cut: bool = False, keep_crops: bool = False
    ) -> list[Picture]:
        """The whole image, then each crop.

        Args:
            cut: the image loses what its middle square leaves, as the original's did (oddity 22).
            keep_crops: crops are kept as images are.
        """
        if memory.image is None:
            return []
        pictures = [self._known((id(memory.image), None, cut), memory)]
        for box in _boxes(memory):
            if keep_crops:
                key = id(memory.image), box, memory.crops_black
                pictures.append(self._known(key, memory))
            else:
                pictures.append(self._crop(memory, box))
        return pictures

    def features(self, pictures: Sequence[Picture]) -> Tensor:
        """(N, T, C) of the tower: the tiles of the distinct pictures, in order.

        What was encoded before is not encoded again.
        """
        distinct = list(dict.fromkeys(pictures))
        for part in passes([p for p in distinct if p.features is None]):
            pixels = torch.stack([tile for picture in part for tile in picture.tiles])
            made = self.model.encode_images(pixels.to(self.model.device))
            sizes = [len(picture.tiles) for picture in part]
            for picture, own in zip(part, made.split(sizes), strict=True):
                picture.features = own.clone()  # a memory of its own, so that it can be let go
        return torch.cat([p.features for p in distinct if p.features is not None])

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        for key in [key for key, picture in self._kept.items() if picture.image is image]:
            del self._kept[key]

    @property
    def _num_tiles(self) -> int:
        return sum(len(picture.tiles) for picture in self._kept.values())

    def _known(self, key: _Key, memory: VisualWorkingMemory) -> Picture:
        _, box, how = key
        if key not in self._kept:
            made = self._whole(memory, how) if box is None else self._crop(memory, box)
            self._kept[key] = made
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and self._num_tiles > KEPT_TILES:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _whole(self, memory: VisualWorkingMemory, cut: bool) -> Picture:
        image = memory.image
        assert image is not None
        if self.tower.tiles is not None:
            return Picture(image, tuple(self.tower.pixels(image, pad=True)))
        vision = self.model.config.vision
        size, colors = vision.image_size, vision.normalization
        if cut:
            pixels = tower_pixels(image, size, colors, "center_crop")
        else:
            whole = (0, 0, *image.size)
            square = squared_bytes(image, whole, size, colors.background, "center")
            pixels = normalize_bytes(square, colors)
        return Picture(image, (torch.from_numpy(pixels),))

    def _crop(self, memory: VisualWorkingMemory, box: Box) -> Picture:
        assert memory.image is not None
        crop = context_crop(memory.image, box)
        if memory.crops_black:
            crop = black(crop)
        if self.tower.tiles is not None:
            return Picture(memory.image, tuple(self.tower.pixels(crop, pad=False)))
        vision = self.model.config.vision
        pixels = tower_pixels(crop, vision.image_size, vision.normalization)
        return Picture(memory.image, (torch.from_numpy(pixels),))


def passes(pictures: Sequence[Picture]) -> list[list[Picture]]:
    """As many together as one pass takes: at least one."""
    parts: list[list[Picture]] = []
    room = 0
    for picture in pictures:
        if not parts or len(picture.tiles) > room:
            parts.append([])
            room = TILES_A_PASS
        parts[-1].append(picture)
        room -= len(picture.tiles)
    return parts


def _boxes(memory: VisualWorkingMemory) -> list[Box]:
    return [box for target in memory.targets for box in target.boxes]
