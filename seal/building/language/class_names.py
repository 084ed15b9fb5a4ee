"""Names of object classes in English sentences: where they stand, and how they behave."""

from __future__ import annotations

import re
from collections.abc import Iterable

PEOPLE = frozenset({"person", "man", "woman", "boy", "girl", "child", "baby"})
ANIMALS = frozenset(
    {"bear", "bird", "camel", "cat", "chicken", "cow", "crab", "deer", "dog", "dolphin", "donkey"}
    | {"duck", "elephant", "fish", "giraffe", "goose", "horse", "lion", "monkey", "parrot"}
    | {"penguin", "pig", "pigeon", "rabbit", "seal", "sheep", "swan", "yak", "zebra"}
)
FOOD = frozenset(
    {
        "apple",
        "banana",
        "broccoli",
        "cake",
        "carrot",
        "donut",
        "hot dog",
        "orange",
        "pizza",
        "sandwich",
    }
)
# What captions call the classes of COCO.
OTHER_NAMES = {
    "airplane": ("plane", "aeroplane", "jet"),
    "bicycle": ("bike",),
    "cell phone": ("phone", "cellphone"),
    "couch": ("sofa",),
    "cow": ("cattle", "bull", "calf"),
    "cup": ("mug",),
    "dining table": ("table",),
    "donut": ("doughnut",),
    "knife": ("knives",),
    "motorcycle": ("motorbike",),
    "person": (*sorted(PEOPLE), "people", "men", "women", "children", "guy", "lady", "player"),
    "potted plant": ("plant",),
    "refrigerator": ("fridge",),
    "sports ball": ("ball",),
    "tv": ("television", "monitor"),
    "wine glass": ("glass",),
}


def is_plural(name: str) -> bool:
    """Whether a name takes `are`: scissors and skis do, a bus and a wine glass do not."""
    return name.endswith("s") and not name.endswith(("ss", "us"))


def mentions(text: str, names: Iterable[str]) -> dict[str, int]:
    """Where each name first occurs as whole words, in singular or plural; others are left out.

    Every place in the text counts for the longest name there: `teddy bear` mentions no `bear`.
    """
    found: dict[str, int] = {}
    lower = text.lower()
    for name in sorted(set(names), key=lambda name: (-len(name), name)):
        pattern = rf"(?<![\w-]){re.escape(name.lower())}(?:e?s)?(?![\w-])"
        places = [match.span() for match in re.finditer(pattern, lower)]
        if places:
            found[name] = places[0][0]
            for start, end in places:
                lower = lower[:start] + "\0" * (end - start) + lower[end:]
    return found


def related(name: str, other: str) -> bool:
    """Whether one name is made of the other: a `teddy bear` may well be called a `bear`."""
    return bool(mentions(name, [other]) or mentions(other, [name]))


def captions_name(captions: Iterable[str], name: str) -> bool:
    """Whether a caption speaks of the class, by whatever name. Not every object is annotated."""
    text = " ; ".join(captions)
    return any(mentions(text, [other]) for other in (name, *OTHER_NAMES.get(name, ())))
