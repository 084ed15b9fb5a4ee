"""What is asked about an image: the question, its options, and what to search for."""

from __future__ import annotations

from dataclasses import dataclass

from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about an image; `image=None` asks about text alone."""

    image: Image | None
    text: str
    options: tuple[str, ...] = ()
    targets: tuple[str, ...] | None = None  # to search for; None: what the first answer lacks
    final_text: str | None = None  # how it is put after the search, if otherwise

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("the question is empty: say what you want to know about the image")
        if len(set(self.options)) != len(self.options):
            raise ValueError(f"an option appears twice: {list(self.options)}")
        if any(not option.strip() for option in self.options):
            raise ValueError(f"an option is empty: {list(self.options)}")
        if self.targets and self.image is None:
            raise ValueError(f"there is no image to search for {', '.join(self.targets)}")
