"""The visual working memory: what the VQA LLM is shown (paper section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

from PIL.Image import Image

from seal.geometry import Box


@dataclass(frozen=True, slots=True)
class MemoryTarget:
    """A target that was searched for. `boxes` in image pixels, one per instance; () = not found."""

    name: str
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class VisualWorkingMemory:
    """The question, the whole image, and every target the search brought back, in order.

    `image=None` is a text-only question. `targets=()` is the first pass or plain chat.
    """

    question: str
    image: Image | None = None
    targets: tuple[MemoryTarget, ...] = ()

    @property
    def num_crops(self) -> int:
        """Crops shown beside the image: instances, not names."""
        return sum(len(target.boxes) for target in self.targets)
