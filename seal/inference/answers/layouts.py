"""How the working memory becomes a conversation for a model that was not trained on SEAL's form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL.Image import Image

from seal.geometry import Box
from seal.images import black, context_crop, cut
from seal.working_memory import VisualWorkingMemory

# One user turn: {"type": "image", "image": PIL} and {"type": "text", "text": str}, in order; the
# form of Hugging Face chat templates.
Item = dict[str, Any]


def user_turn(memory: VisualWorkingMemory, layout: str = "interleaved") -> list[Item]:
    """The turn's items, in the order in which they are shown.

    Raises:
        ValueError: there is no such layout, or crops without the image they are cut from.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout={layout!r} is none of {', '.join(LAYOUTS)}")
    if memory.image is None and memory.num_crops:
        raise ValueError(f"crops of {memory.question!r} need the image they are cut from")
    return LAYOUTS[layout](memory)


def _interleaved(memory: VisualWorkingMemory) -> list[Item]:
    """Each crop directly behind the words that say what it is."""
    items = _whole(memory)
    for name, box, crop in _crops(memory):
        items += [_text(f"{_what(name)} {_where(memory, box)}:"), _image(crop)]
    return [*items, _text("\n".join([*_not_found(memory), memory.question]))]


def _images_first(memory: VisualWorkingMemory) -> list[Item]:
    """All images, then their list in words: for models that were taught images before text."""
    items, lines = _whole(memory), []
    if memory.num_crops:
        lines.append("Image 1 is the whole picture.")
    for number, (name, box, crop) in enumerate(_crops(memory), start=2):
        items.append(_image(crop))
        what = _what(name)
        lines.append(f"Image {number} is {what[0].lower()}{what[1:]} {_where(memory, box)}.")
    return [*items, _text("\n".join([*lines, *_not_found(memory), memory.question]))]


def _bare(memory: VisualWorkingMemory) -> list[Item]:
    """The images and the question, nothing else: what ViCrop's second pass shows."""
    crops = [_image(crop) for _, _, crop in _crops(memory)]
    return [*_whole(memory), *crops, _text(memory.question)]


LAYOUTS: dict[str, Callable[[VisualWorkingMemory], list[Item]]] = {
    "interleaved": _interleaved,
    "images_first": _images_first,
    "bare": _bare,
}


def _whole(memory: VisualWorkingMemory) -> list[Item]:
    return [] if memory.image is None else [_image(memory.image)]


def _crops(memory: VisualWorkingMemory) -> list[tuple[str, Box, Image]]:
    """A target's box is shown with its surroundings; a region without a name as it is."""
    image = memory.image
    if image is None:
        return []
    crops = [
        (t.name, box, context_crop(image, box) if t.name else cut(image, box.as_ints()))
        for t in memory.targets
        for box in t.boxes
    ]
    if memory.crops_black:
        crops = [(name, box, black(crop)) for name, box, crop in crops]
    return crops


def _what(name: str) -> str:
    return f"A closer view of {name}" if name else "A closer view of a part of the picture"


def _where(memory: VisualWorkingMemory, box: Box) -> str:
    """The place in percent of the image, which every model reads alike."""
    assert memory.image is not None
    box, (width, height) = memory.told_place(box), memory.image.size
    left, right = (round(100 * x / width) for x in (box.x0, box.x1))
    top, bottom = (round(100 * y / height) for y in (box.y0, box.y1))
    return f"(from {left}% to {right}% across, from {top}% to {bottom}% down)"


def _not_found(memory: VisualWorkingMemory) -> list[str]:
    names = [target.name for target in memory.targets if target.name and not target.boxes]
    return [f"Searched for and not found in the picture: {', '.join(names)}."] if names else []


def _text(text: str) -> Item:
    return {"type": "text", "text": text}


def _image(image: Image) -> Item:
    return {"type": "image", "image": image}
