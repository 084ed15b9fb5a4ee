"""At which level a router has each picture of a visual working memory read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from weakref import ReferenceType, ref

import torch
from PIL.Image import Image
from torch import Tensor

from seal.batch import Routes
from seal.inference.answers.memory_pictures import MemoryPictures, Picture, passes
from seal.models.vlm import VisualTokens
from seal.working_memory import VisualWorkingMemory

KEPT_CHOICES = 4096  # whether a prompt fits is asked before it is read
MEMORIES_A_TIME = 16  # whose pixels and features are held together
_Key: TypeAlias = tuple[Any, ...]


class LevelChoice:
    """The router's choices, which depend on a picture and on all words of its prompt.

    A picture is routed for each prompt that shows it; what the tower made of it is used again.
    """

    def __init__(
        self, pictures: MemoryPictures, words: Callable[[VisualWorkingMemory], Tensor]
    ) -> None:
        """`words`: (K,) ids of a memory's prompt, which the router chooses by."""
        self.pictures, self.words = pictures, words
        # The image is not kept alive: another of its identity would be another.
        self._known: OrderedDict[_Key, tuple[ReferenceType[Image], tuple[int, ...]]] = OrderedDict()

    def of(self, memories: Sequence[VisualWorkingMemory]) -> list[tuple[int, ...]]:
        """Of each memory, the level of the whole image and of each crop; () without an image."""
        found = {_key(memory): self._remembered(memory) for memory in memories}
        new = list({_key(m): m for m in memories if found[_key(m)] is None}.values())
        for start in range(0, len(new), MEMORIES_A_TIME):
            part = new[start : start + MEMORIES_A_TIME]
            for memory, levels in zip(part, self._choose(part), strict=True):
                assert memory.image is not None
                found[_key(memory)] = levels
                self._known[_key(memory)] = ref(memory.image), levels
        while len(self._known) > KEPT_CHOICES:
            self._known.popitem(last=False)
        return [found[_key(memory)] or () for memory in memories]

    def forget(self, image: Image) -> None:
        """Drop what is known about an image."""
        for key in [key for key, (of, _) in self._known.items() if of() is image or of() is None]:
            del self._known[key]

    def _remembered(self, memory: VisualWorkingMemory) -> tuple[int, ...] | None:
        if memory.image is None:
            return ()
        of, levels = self._known.get(_key(memory), (None, ()))
        return levels if of is not None and of() is memory.image else None

    @torch.inference_mode()
    def _choose(self, memories: Sequence[VisualWorkingMemory]) -> list[tuple[int, ...]]:
        asked: list[tuple[int, Picture]] = []  # the memory it is of
        for number, memory in enumerate(memories):
            asked += [(number, p) for p in self.pictures.of(memory, keep_crops=True)]
        words = [self.words(memory) for memory in memories]
        chosen: list[list[int]] = [[] for _ in memories]
        for part in passes([picture for _, picture in asked]):
            own, asked = asked[: len(part)], asked[len(part) :]
            levels = self._route(part, [words[number] for number, _ in own])
            for (number, _), level in zip(own, levels, strict=True):
                chosen[number].append(level)
        return list(map(tuple, chosen))

    def _route(self, pictures: Sequence[Picture], words: Sequence[Tensor]) -> list[int]:
        model = self.pictures.model
        assert model.router is not None
        distinct = list(dict.fromkeys(pictures))
        starts, end = {}, 0
        for picture in distinct:
            starts[picture] = end
            end += len(picture.tiles)
        features = self.pictures.features(distinct).to(model.dtype)
        routes = Routes.of([range(starts[p], starts[p] + len(p.tiles)) for p in pictures], words)
        routes.tiles, routes.text_ids = (
            each.to(model.device) for each in (routes.tiles, routes.text_ids)
        )
        scores = model.route(VisualTokens(model.image_projector(features), None), routes).scores
        if not bool(scores.isfinite().all()):
            raise FloatingPointError(
                f"the router gives scores that are not finite in {model.dtype}; load the model "
                "with dtype=bfloat16 or float32, or name a level (granularity=)"
            )
        levels = model.router.levels
        return [levels[place] for place in scores.argmax(-1).tolist()]


def _key(memory: VisualWorkingMemory) -> _Key:
    controls = memory.crops_black, memory.places_told
    return (id(memory.image), memory.question, memory.targets, *controls)
