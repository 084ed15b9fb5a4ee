"""The visual working memory: what the VQA LLM is shown (paper section 3.1)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from PIL.Image import Image

from seal.geometry import Box


@dataclass(frozen=True, slots=True)
class MemoryTarget:
    """A target that was searched for. `boxes` in image pixels, one per instance; () = not found."""

    name: str
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class VisualWorkingMemory:
    """The question, the whole image, and every target the search brought back, in order.

    `image=None` is a text-only question. `targets=()` is the first pass or plain chat.
    `crops_black` and `places_told` are for controls of an evaluation: what becomes of an answer
    when crops tell nothing.
    """

    question: str
    image: Image | None = None
    targets: tuple[MemoryTarget, ...] = ()
    crops_black: bool = False  # each crop is shown as a black picture of its size
    places_told: bool = True  # False: every crop is said to lie where the whole image does
    # Whose cost the answer is; no part of what is shown.
    asked_for: Hashable | None = field(default=None, compare=False, repr=False)

    def __repr__(self) -> str:
        size = (
            "no image" if self.image is None else f"image {self.image.width} x {self.image.height}"
        )
        parts = [
            size,
            *(f"{t.name}: {', '.join(map(str, t.boxes)) or 'none'}" for t in self.targets),
        ]
        return f"<VisualWorkingMemory {self.question!r}, {'; '.join(parts)}>"

    @property
    def num_crops(self) -> int:
        """Crops shown beside the image: instances, not names."""
        return sum(len(target.boxes) for target in self.targets)

    @property
    def withheld(self) -> list[str]:
        """What a control keeps back of the crops: "pixels", "places"."""
        return ["pixels"] * self.crops_black + ["places"] * (not self.places_told)

    def told_place(self, box: Box) -> Box:
        """Where the answer model is told that the crop of `box` lies, in image pixels."""
        if self.places_told or self.image is None:
            return box
        return Box(0, 0, *self.image.size)
