"""Where an absent object would be: what a language model is told, its check, and templates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seal.building.language.class_names import ANIMALS, FOOD, PEOPLE, mentions, related
from seal.building.language.unwritten_records import Prompt
from seal.text.phrases import MARKER
from seal.text.prompts import cue_prefix

TASK = "possible location"
MAX_WORDS = 10

SYSTEM = (
    "You are told what a photo shows: captions of it, and objects in it. You are then given an "
    "object that is not in the photo. Imagine that it were: say where in this photo it would most "
    "probably be, by its place beside, on, under or in something the photo shows. Reply with that "
    "place alone, as a phrase of at most ten words that begins with a preposition and does not "
    "name the object itself, such as: in the sky above the hills; on the table next to the plate."
)
_PREPOSITIONS = frozenset(
    {"above", "across", "against", "along", "alongside", "amid", "among", "around", "at", "atop"}
    | {"before", "behind", "below", "beneath", "beside", "between", "beyond", "by", "close", "from"}
    | {"in", "inside", "near", "next", "off", "on", "opposite", "outside", "over", "through", "to"}
    | {"toward", "towards", "under", "underneath", "within"}
)

_GROUND = (
    ("on", "sidewalk"),
    ("on", "street"),
    ("on", "road"),
    ("in", "parking lot"),
    ("on", "beach"),
    ("on", "grass"),
    ("in", "field"),
    ("in", "park"),
    ("in", "yard"),
    ("in", "snow"),
    ("on", "dirt"),
    ("on", "floor"),
)
_WATER = (("on", "ocean"), ("on", "river"), ("on", "lake"), ("on", "water"), ("by", "dock"))
_TOPS = (
    ("on", "dining table"),
    ("on", "table"),
    ("on", "counter"),
    ("on", "desk"),
    ("on", "tray"),
    ("on", "shelf"),
    ("on", "bench"),
    ("on", "couch"),
    ("on", "bed"),
    ("on", "blanket"),
)
_SEATS = (("on", "couch"), ("on", "bench"), ("on", "chair"), ("on", "bed"))
_FLYING = frozenset({"airplane", "bird", "kite", "helicopter", "balloon"})
_FLOATING = frozenset({"boat", "surfboard", "ship", "sailboat", "canoe", "duck", "swan"})
_OUTDOORS = frozenset(
    {"bench", "bicycle", "bus", "car", "fire hydrant", "motorcycle", "parking meter", "skateboard"}
    | {"stop sign", "traffic light", "train", "truck"}
)
_SMALL = frozenset(
    {"book", "bottle", "bowl", "cell phone", "cup", "fork", "keyboard", "knife", "laptop"}
    | {"microwave", "mouse", "remote", "scissors", "spoon", "toaster", "vase", "wine glass"}
)
_CARRIED = frozenset({"backpack", "handbag", "suitcase", "umbrella"})


def location_prompt(target: str, captions: Sequence[str], objects: Sequence[str]) -> Prompt:
    """`objects` are there; `target` is not."""
    lines = "\n".join(f"- {caption}" for caption in captions)
    listed = ", ".join(objects) or "none that has a name here"
    user = f"Captions:\n{lines}\nObjects: {listed}.\nObject that is not there: {target}."
    facts = {"target": target, "captions": list(captions), "objects": list(objects)}
    return Prompt(TASK, SYSTEM, user, facts)


def location_template(facts: dict[str, Any], rng: np.random.Generator) -> str:
    """A place that suits the kind of object, if the captions or objects have one; or an object."""
    target = facts["target"]
    there = _places(target)
    text = " ; ".join([*facts["captions"], *facts["objects"]])
    named = mentions(text, [place for _, place in there])
    places = [
        f"{preposition} the {place}"
        for preposition, place in there
        if place in named and not related(place, target)
    ]
    beside = [
        f"{word} the {name}"
        for name in facts["objects"][:2]  # the largest ones
        for word in ("next to", "near", "behind", "in front of")
    ]
    if target in _FLYING:
        above = [f"in the sky above the {name}" for name in facts["objects"][:2]]
        choices = [*above, "in the sky"]
    elif target == "tie" and "person" in facts["objects"]:
        choices = ["around the neck of the person"]
    elif target in _CARRIED and "person" in facts["objects"]:
        choices = ["next to the person", "in the hands of the person"]
    else:
        choices = places or beside or ["in the background of the scene"]
    return choices[int(rng.integers(len(choices)))]


def checked_location(answer: str, target: str) -> str:
    """The phrase that completes `cue_prefix`, without a period.

    Raises:
        ValueError: it is no place in at most ten words, or not one that can be read back.
    """
    phrase = answer.strip()
    prefix = cue_prefix(target).lower()
    if phrase.lower().startswith(prefix):
        phrase = phrase[len(prefix) :].strip()
    if len(phrase) > 1 and phrase[0] == phrase[-1] == '"':
        phrase = phrase[1:-1]
    phrase = phrase.strip().removesuffix(".").strip()
    words = phrase.split()
    if not 2 <= len(words) <= MAX_WORDS:
        raise ValueError(f"it has {len(words)} words, not 2 to {MAX_WORDS}")
    if any(mark in phrase for mark in '\n.;:!?<>"'):
        raise ValueError("it is more than a phrase")
    if words[0].lower() not in _PREPOSITIONS and not words[0].lower().endswith("ing"):
        raise ValueError("it does not begin with a preposition")
    # What stands before the last mention of the target is not read: see `location_text`.
    if mentions(phrase, [target]) or MARKER in phrase:
        raise ValueError(f"it names the {target} itself")
    return phrase[0].lower() + phrase[1:]


def _places(target: str) -> tuple[tuple[str, str], ...]:
    if target in _FLOATING:
        return _WATER
    if target in _OUTDOORS:
        return _GROUND
    if target in FOOD or target in _SMALL:
        return _TOPS
    if target in PEOPLE:
        return (*_SEATS, *_GROUND)
    if target in ANIMALS:
        return (*_GROUND, *(_SEATS if target in ("cat", "dog") else ()))
    return ()
