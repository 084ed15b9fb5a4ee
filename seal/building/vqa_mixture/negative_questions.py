"""Questions that need objects nobody can see: what a language model is told, and templates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from seal.building.language.class_names import ANIMALS, FOOD, PEOPLE, is_plural, mentions
from seal.building.language.reserved_marks import mark_in
from seal.building.language.unwritten_records import Prompt

TASK = "negative question"
MAX_WORDS = 40

SYSTEM = (
    "You write questions that someone might ask about a photo. You are told some of what the photo "
    "shows, and one or two objects that cannot be made out in it. Write one question, in a single "
    "sentence, that takes it for granted that each of those objects is in the photo and that "
    "nobody can answer without a look at each of them. You are told what to ask about; if that "
    "makes no sense for the objects, ask about something else that can be seen of them. Do not ask "
    "whether an object is there, nor how many there are. Use the given name of each object word "
    "for word. Name no other object unless the photo shows it. Reply with the question alone."
)

_THING = (
    "What color {is} the {a}?",
    "{Is} the {a} on the left or the right side of the image?",
    "What is directly behind the {a}?",
    "Which object is closest to the {a}?",
    "{Does} the {a} look new or worn?",
    "What pattern {does} the {a} have?",
    "{Is} the {a} light or dark in color?",
    "What material {is} the {a} made of?",
    "Can you tell me the color of the {a}?",
    "What is next to the {a}?",
)
_ANIMAL = (
    "What {is} the {a} doing?",
    "What color {is} the {a}?",
    "{Is} the {a} standing or lying down?",
    "Which way {is} the {a} facing?",
    "What {is} the {a} looking at?",
    "{Is} the {a} on the left or the right side of the image?",
)
_FOOD = (
    "What color {is} the {a}?",
    "{Is} the {a} on a plate or not?",
    "{Is} the {a} on the left or the right side of the image?",
    "{Is} the {a} whole or cut into pieces?",
    "What is next to the {a}?",
    "What is under the {a}?",
)
_PERSON = (
    "What {is} the {a} wearing?",
    "What {is} the {a} doing?",
    "{Is} the {a} sitting or standing?",
    "What color is the shirt of the {a}?",
    "Which way {is} the {a} looking?",
    "{Is} the {a} on the left or the right side of the image?",
)
_PAIR = (
    "Is the {a} to the left or to the right of the {b}?",
    "Is the {a} above or below the {b}?",
    "Which is larger, the {a} or the {b}?",
    "Are the {a} and the {b} of the same color?",
    "Which is closer to the camera, the {a} or the {b}?",
    "What is between the {a} and the {b}?",
    "How far apart are the {a} and the {b}?",
    "What are the colors of the {a} and the {b}?",
    "Do the {a} and the {b} touch each other?",
)
# The model must doubt what it sees, not answer `no` or `zero`, which would be right answers.
_ABOUT_PRESENCE = re.compile(
    r"\b(is|are|was|were) there\b|\bhow many\b|\b(do|can|could) (you|we|i) see\b|\bany\b"
    r"|\b(visible|present|absent|missing|exists?)\b",
    re.IGNORECASE,
)


# What a question is about is drawn: left to itself, a model asks for the color of everything.
_ASPECTS = (
    "color",
    "material",
    "shape or pattern",
    "state: new or worn, open or closed, whole or broken, at rest or not",
    "the way it faces",
    "position in the photo",
    "what is next to it, on it, under it or behind it",
    "what is written or shown on it",
    "what it is used for there, or what it does",
)
_PAIR_ASPECTS = (
    "which one is further left, higher or closer",
    "which one is larger",
    "colors or materials",
    "what lies between them, or how far apart they are",
    "what both have in common, or not",
    "how one is used with the other",
)


def negative_prompt(
    needed: Sequence[str], shown: Sequence[str], rng: np.random.Generator
) -> Prompt:
    """`needed` cannot be made out in the image; `shown` can. Draws what is asked about."""
    seen = ", ".join(shown) or "nothing that has a name here"
    aspect = _drawn(_PAIR_ASPECTS if len(needed) > 1 else _ASPECTS, rng)
    user = f"The photo shows: {seen}.\nIt does not show: {', '.join(needed)}.\nAsk about: {aspect}."
    return Prompt(TASK, SYSTEM, user, {"needed": list(needed)})


def negative_template(facts: dict[str, Any], rng: np.random.Generator) -> str:
    """A question from a sentence with gaps."""
    needed = facts["needed"]
    if len(needed) == 2:
        first, second = rng.permutation(needed).tolist()
        pattern = _drawn(_PAIR, rng)
        if is_plural(first):
            pattern = pattern.replace("Is the {a}", "Are the {a}")
        return pattern.format(a=first, b=second)
    (name,) = needed
    kinds = ((PEOPLE, _PERSON), (ANIMALS, _ANIMAL), (FOOD, _FOOD))
    patterns = next((own for kind, own in kinds if name in kind), _THING)
    verb, auxiliary = ("are", "do") if is_plural(name) else ("is", "does")
    pattern = _drawn(patterns, rng).replace("is the {a}", "{is} the {a}")
    capital = {"Is": verb.capitalize(), "Does": auxiliary.capitalize()}
    return pattern.format(a=name, **{"is": verb, "does": auxiliary}, **capital)


def checked_question(
    answer: str, needed: Sequence[str], hidden: Sequence[str]
) -> tuple[str, list[str]]:
    """The question and the objects it needs, in the order in which it names them.

    Args:
        hidden: names of whatever else cannot be made out in the image.

    Raises:
        ValueError: the answer is no question about each of `needed` and nothing else unseen.
    """
    question = answer.strip()
    if len(question) > 1 and question[0] == question[-1] == '"':
        question = question[1:-1].strip()
    if "\n" in question or not question.endswith("?") or question.count("?") > 1:
        raise ValueError("it is not one question on one line")
    if "<" in question or ">" in question or mark_in(question) is not None:
        raise ValueError("it holds < or >, or a mark of a chat format")
    if len(question.split()) > MAX_WORDS:
        raise ValueError(f"it has more than {MAX_WORDS} words")
    if found := _ABOUT_PRESENCE.search(question):
        raise ValueError(f"it asks whether something is there: {found.group(0)!r}")
    places = mentions(question, [*needed, *hidden])
    if unnamed := [name for name in needed if name not in places]:
        raise ValueError(f"it does not name {', '.join(unnamed)} word for word")
    if others := [name for name in hidden if name in places]:
        raise ValueError(f"it also needs what the photo does not show: {', '.join(others)}")
    return question, sorted(needed, key=lambda name: places[name])


def _drawn(patterns: Sequence[str], rng: np.random.Generator) -> str:
    return patterns[int(rng.integers(len(patterns)))]
