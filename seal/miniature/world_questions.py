"""What is asked about the tiny world, and the right answers, in full sentences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seal.geometry import Box
from seal.miniature.world import BADGE_COLORS, REGIONS, Scene, Thing, home
from seal.text.prompts import cue_prefix, cue_question

NUM_COLOR_OPTIONS = 4
# The two centers of a relation differ by at least this share of the longer side.
MIN_OFFSET = 0.05
_RELATIONS = {
    "x": ("to the left of", "to the right of", "to the left or to the right of"),
    "y": ("above", "below", "above or below"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about a scene. The first option is the true one."""

    text: str
    options: tuple[str, ...]
    targets: tuple[str, ...]  # kinds that must be seen to answer, in the question's order

    @property
    def answer(self) -> str:
        return self.options[0]


def attribute_question(thing: Thing, rng: np.random.Generator) -> Asked:
    """The color of an object's badge, among four."""
    assert thing.kind is not None and thing.badge is not None
    others = [color for color in BADGE_COLORS if color != thing.badge]
    colors = [thing.badge, *rng.permutation(others)[: NUM_COLOR_OPTIONS - 1].tolist()]
    return Asked(
        f"What is the color of the badge of the {thing.kind}?",
        tuple(badge_sentence(thing.kind, color) for color in colors),
        (thing.kind,),
    )


def badge_sentence(kind: str, color: str) -> str:
    return f"The badge of the {kind} is {color}."


def relation_question(first: str, second: str, axis: str, *, before: bool) -> Asked:
    """On which side of `second` is `first`. `before`: to its left (axis x), or above it (y)."""
    low, high, either = _RELATIONS[axis]
    ordered = (low, high) if before else (high, low)
    return Asked(
        f"Is the {first} {either} the {second}?",
        tuple(f"The {first} is {relation} the {second}." for relation in ordered),
        (first, second),
    )


def relation_between(scene: Scene, first: str, second: str, axis: str) -> Asked | None:
    """The relation of two objects; None: their centers are too close along the axis."""
    (x0, y0), (x1, y1) = (_center(scene.find(kind).box) for kind in (first, second))
    difference = x1 - x0 if axis == "x" else y1 - y0
    if abs(difference) < MIN_OFFSET * max(scene.width, scene.height):
        return None
    return relation_question(first, second, axis, before=difference > 0)


def draw_relation(scene: Scene, rng: np.random.Generator) -> Asked:
    """A relation of two objects of the scene that can be told."""
    kinds = [str(thing.kind) for thing in scene.objects]
    while True:
        first, second = rng.permutation(kinds)[:2].tolist()
        asked = relation_between(scene, first, second, "xy"[int(rng.integers(2))])
        if asked is not None:
            return asked


def presence_question(region: str, shown: bool) -> Asked:
    """Something that the whole image tells, without any search."""
    yes, no = f"Yes, the image shows the {region}.", f"No, the image does not show the {region}."
    return Asked(f"Does the image show the {region}?", (yes, no) if shown else (no, yes), ())


def where_question(kind: str, shown: frozenset[str] | set[str]) -> tuple[str, str]:
    """The contextual-cue question and its answer, read off the regions that are shown."""
    region = home(kind, frozenset(shown))
    assert region is not None
    return cue_question(kind), f"{cue_prefix(kind)} {place(region)}."


def place(region: str) -> str:
    """`on the water`, `in the sky`."""
    return f"{'in' if region == 'sky' else 'on'} the {region}"


def absence_sentence(kind: str) -> str:
    """What is answered about a target that no search brings back."""
    return f"There is no {kind} in the image."


def scene_caption(shown: frozenset[str] | set[str]) -> str:
    """The regions of a picture, always in one order."""
    names = [f"the {region}" for region in REGIONS if region in shown]
    return f"The image shows {_listed(names)}."


def thing_caption(thing: Thing) -> str:
    """A picture of one thing."""
    badge = f" with a {thing.badge} badge" if thing.badge is not None else ""
    return f"The image shows a {thing.color} {thing.kind or 'disc'}{badge} {place(thing.region)}."


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _center(box: Box) -> tuple[float, float]:
    return (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
