"""Controls of a search: the same search and as many crops, but what is shown of them says less.

An answer that comes from looking at what was found cannot outlive them. `random_crop` shows crops
of the same size from elsewhere. `crop_black` shows black pictures, and says of each crop that it
lies where the whole image does: with the true places a question about left and right is answered
without a pixel. `crop_black_placed` tells the places all the same, and so shows what they alone
are worth. What a search did not find is said not to be there, by a control too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from PIL.Image import Image

from seal.evaluation.shown_systems import search_part, shown_part
from seal.geometry import Box
from seal.images import context_box
from seal.pipeline import Question
from seal.pipeline.stages import Control
from seal.search.strategies import STRATEGIES, VICROP
from seal.working_memory import MemoryTarget, VisualWorkingMemory

RANDOM_CROP, CROP_BLACK, CROP_BLACK_PLACED = "random_crop", "crop_black", "crop_black_placed"
CONTROLS = (RANDOM_CROP, CROP_BLACK, CROP_BLACK_PLACED)
ORACLE_CROP = "oracle_crop"  # the control from above: another name of `oracle`
TrueBoxes = Callable[[Question], Sequence[Box]]  # what is annotated for a question, pixels
DRAWS = 256  # places tried for a crop; the first that touches nothing is taken


def searches_as(system: str, control_of: str | None) -> str:
    """The search that a system makes: its own, or that of the system it is a control of.

    However pictures are shown: it is `guided` that `guided@36` makes.
    """
    name = search_part(system)
    if name in CONTROLS:
        assert control_of is not None
        return control_of
    return "oracle" if name == ORACLE_CROP else name


def controlled_system(systems: Sequence[str], control_of: str | None) -> str | None:
    """The search that the controls among `systems` control; None where there are none.

    Raises:
        ValueError: nothing among `systems` searches and `control_of` is not given, it is a system
            that does not search, or controls are shown pictures in several ways.
    """
    if control_of is not None and control_of not in (*STRATEGIES, *VICROP, "oracle"):
        raise ValueError(
            f"control_of={control_of!r} is no search to control; choose one of "
            f"{', '.join((*STRATEGIES, *VICROP, 'oracle'))}"
        )
    controls = [name for name in systems if search_part(name) in CONTROLS]
    if not controls:
        return None
    if len({shown_part(name) for name in controls}) > 1:
        raise ValueError(
            f"systems={list(systems)}: {', '.join(controls)} control what is shown in several ways "
            "(behind @); one run controls one"
        )
    if control_of is not None:
        return control_of
    searches = [
        search_part(name) for name in systems if search_part(name) in (*STRATEGIES, *VICROP)
    ]
    if not searches:
        raise ValueError(
            f"systems={list(systems)}: {', '.join(controls)} controls a search; name that search "
            "among the systems, or as control_of="
        )
    return searches[0]


def build_control(name: str, true_boxes: TrueBoxes, *, seed: int = 0) -> Control | None:
    """What the control called `name` shows; None for every other system."""
    match search_part(name):
        case "random_crop":
            return RandomCrop(true_boxes, seed=seed)
        case "crop_black":
            return _black
        case "crop_black_placed":
            return _black_placed
    return None


def _black(_: Question, memory: VisualWorkingMemory) -> VisualWorkingMemory:
    return replace(memory, crops_black=True, places_told=False)


def _black_placed(_: Question, memory: VisualWorkingMemory) -> VisualWorkingMemory:
    return replace(memory, crops_black=True)


class RandomCrop:
    """Moves every box elsewhere in its image.

    Where a box goes depends on the seed, the question, the target and the box alone: not on what is
    asked beside it, and not on how options are put. The new crop is as large as the old one (but
    for one that the image's border cut, where nothing of that size is free), and touches neither a
    true box nor a box that the search found, where the image has room for that; where it has not,
    it touches as little as any that was tried.
    """

    def __init__(self, true_boxes: TrueBoxes, *, seed: int = 0) -> None:
        self.true_boxes, self.seed = true_boxes, seed

    def __call__(self, question: Question, memory: VisualWorkingMemory) -> VisualWorkingMemory:
        image = memory.image
        if image is None or not memory.num_crops:
            return memory
        true = self.true_boxes(question)
        found = [box for target in memory.targets for box in target.boxes]
        targets = tuple(
            MemoryTarget(
                target.name,
                tuple(
                    self._moved(
                        box, image, f"{question.text}\0{target.name}\0{number}", true, found
                    )
                    for number, box in enumerate(target.boxes)
                ),
            )
            for target in memory.targets
        )
        return replace(memory, targets=targets)

    def _moved(
        self, box: Box, image: Image, what: str, true: Sequence[Box], found: Sequence[Box]
    ) -> Box:
        width, height = image.size
        edges = f"{box.x0:.6g} {box.y0:.6g} {box.x1:.6g} {box.y1:.6g}"
        text = f"{self.seed}\0{width} {height}\0{what}\0{edges}"
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        size = _size(box, width, height)
        best: tuple[tuple[float, float, bool], Box] | None = None
        for _ in range(DRAWS):
            # Whole pixels, so that rounding cannot make the crop larger than it was.
            x0 = int(rng.integers(0, max(0, int(width - box.width)) + 1))
            y0 = int(rng.integers(0, max(0, int(height - box.height)) + 1))
            moved = Box(x0, y0, x0 + box.width, y0 + box.height)
            window = Box(*map(float, context_box(moved, width, height)))
            rank = (
                sum(_overlap(window, each) for each in true),
                sum(_overlap(window, each) for each in found),
                _size(moved, width, height) != size,
            )
            if best is None or rank < best[0]:
                best = rank, moved
            if not any(rank):
                break
        assert best is not None
        return best[1]


def _size(box: Box, width: int, height: int) -> tuple[int, int]:
    left, top, right, bottom = context_box(box, width, height)
    return right - left, bottom - top


def _overlap(first: Box, second: Box) -> float:
    """The area, in pixels, that two boxes share."""
    width = min(first.x1, second.x1) - max(first.x0, second.x0)
    height = min(first.y1, second.y1) - max(first.y0, second.y0)
    return max(0.0, width) * max(0.0, height)
