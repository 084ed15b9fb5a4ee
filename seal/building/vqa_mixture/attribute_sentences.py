"""Questions about an attribute and their answers: the sentences of VAW records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


OPEN, CHOICE, YES, NO = "open", "choice", "yes", "no"

# Types whose value can be asked for, as (question, answer) forms. `is_`, `does` agree with the
# name. The first form of `color` and of `material` is V*Bench's.
_DOING = (("What {is_} the {name} doing?", "The {name} {is_} {value}."),)
OPEN_FORMS: dict[str, tuple[tuple[str, str], ...]] = {
    "color": (
        ("What is the color of the {name}?", "The color of the {name} is {value}."),
        ("What color {is_} the {name}?", "The {name} {is_} {value}."),
    ),
    "material": (
        ("What is the material of the {name}?", "The material of the {name} is {value}."),
        ("What {is_} the {name} made of?", "The {name} {is_} made of {value}."),
    ),
    "pattern": (
        ("What is the pattern of the {name}?", "The pattern of the {name} is {value}."),
        ("What kind of pattern {does} the {name} have?", "The {name} {has} a {value} pattern."),
    ),
    "shape": (("What is the shape of the {name}?", "The shape of the {name} is {value}."),),
    "pose": _DOING,
    "activity": _DOING,
    "sport activity": _DOING,
}
# Types that are asked about with a choice of two values, or with yes and no, alone.
CLOSED = (
    "tone",
    "color quantity",
    "orientation",
    "texture",
    "hardness",
    "state",
    "cleanliness",
    "newness",
    "maturity",
    "weather",
    "opaqeness",  # as the source spells it
    "face expression",
)
# What an adjective of material is called as a material.
_MATERIALS = {"wooden": "wood"}
# Materials that are no material's name: nothing is made of them.
_NO_NOUNS = _words(
    "fluffy foamy furry jean khaki muddy pebbled plush rocky sandy snowy tiled water"
)
# Plurals that a plain rule does not see.
_PLURALS = _words(
    "people men women children feet teeth geese mice jeans pants shorts trousers "
    "glasses sunglasses scissors skis clothes"
)
# Not an answer to `which pattern` or `which shape`.
_VAGUE = _words("patterned lined mesh curled murky")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question asks, before it has its words."""

    kind: str  # OPEN, CHOICE, YES or NO
    type: str  # of the attribute
    values: tuple[str, ...]  # attributes: true ones; NO: the false one
    other: str = ""  # CHOICE: a false one

    @property
    def short_answer(self) -> str:
        if self.kind in (YES, NO):
            return self.kind
        if self.kind == CHOICE and open_value(self.type, self.other) is None:
            return self.values[0]
        return " and ".join(open_value(self.type, value) or value for value in self.values)


def open_value(type_: str, attribute: str) -> str | None:
    """An attribute as the answer to an open question about its type; None: it is not one."""
    if type_ not in OPEN_FORMS or attribute in _VAGUE:
        return None
    if type_ == "material":
        return None if attribute in _NO_NOUNS else _MATERIALS.get(attribute, attribute)
    return attribute


def write_turn(facts: dict[str, Any], rng: np.random.Generator) -> tuple[str, str]:
    """(question, answer) from the fields of `Asked` and its `short` answer, `name` and `plural`."""
    kind, type_, other = facts["kind"], facts["type"], facts["other"]
    value = " and ".join(facts["values"])
    if kind == OPEN:
        forms = OPEN_FORMS[type_]
        question, answer = forms[int(rng.integers(len(forms)))]
        value = facts["short"]
    elif kind == CHOICE:
        question = "{Is} the {name} {made}{first} or {second}?"
        answer = "The {name} {is_} {made}{value}."
    elif kind == YES:
        question, answer = "{Is} the {name} {made}{value}?", "Yes, the {name} {is_} {made}{value}."
    else:
        question = "{Is} the {name} {made}{value}?"
        answer = "No, the {name} {is_} not {made}{value}."
    # `made of wood or metal`, but `furry or wooden`
    made = ""
    if kind != OPEN and type_ == "material":
        nouns = [open_value(type_, attribute) for attribute in (value, other) if attribute]
        if all(nouns):
            made, value, other = "made of ", str(nouns[0]), str(nouns[-1])
    choices = [value, other]
    if rng.random() < 0.5:
        choices.reverse()
    plural = facts["plural"]
    words = {
        "name": facts["name"],
        "value": value,
        "made": made,
        "first": choices[0],
        "second": choices[1],
        "is_": "are" if plural else "is",
        "Is": "Are" if plural else "Is",
        "does": "do" if plural else "does",
        "has": "have" if plural else "has",
    }
    return question.format(**words), answer.format(**words)


def is_plural(name: str) -> bool:
    """Whether a noun phrase takes `are`."""
    from textblob.en.inflect import singularize  # takes a second to load

    head = name.split()[-1]
    if head in _PLURALS:
        return True
    return (
        head.endswith("s") and not head.endswith(("ss", "us", "is")) and singularize(head) != head
    )
