"""Every fixed sentence of the two models; the released weights learned them to the letter."""

from __future__ import annotations

import re
from collections.abc import Sequence

from seal.geometry import Box, normalized_box_text
from seal.text.tokens import OBJECT_PLACEHOLDER

REFUSAL = (
    "Sorry, I can not answer the question. "
    "Some visual information about the following objects is missing or unclear:"
)
FOCUS = "Additional visual information to focus on: "
LOCATE_ANSWER = "Sure, [LOC]."  # the hidden state that predicts its `[LOC]` is the query vector
_ARTICLE = re.compile(r"^\s*(the|an?)\s+(?=\S)", re.IGNORECASE)


def refusal(missing: Sequence[str]) -> str:
    """The answer that names what could not be seen."""
    if not missing:
        raise ValueError("a refusal names at least one missing object")
    return f"{REFUSAL} {', '.join(missing)}."


def parse_missing(answer: str) -> list[str] | None:
    """The objects a refusal names, in order; None for any other answer."""
    _, marker, rest = answer.rpartition(REFUSAL)
    if not marker:
        return None
    names = rest.strip().removesuffix(".").split(",")
    return [name.strip() for name in names if name.strip()]


def object_phrase(name: str, box: Box, image_width: int, image_height: int) -> str:
    """One crop in the focus sentence, its visual tokens at the placeholder. `box` in pixels."""
    location = normalized_box_text(box, image_width, image_height)
    return f"{name} {OBJECT_PLACEHOLDER} at location {location}"


def missing_phrase(name: str) -> str:
    """A target in the focus sentence that the search did not find."""
    return f"{name} not existent in the image"


def focus_sentence(phrases: Sequence[str]) -> str:
    """What the search brought back, one phrase a crop or a target that was not found."""
    if not phrases:
        raise ValueError("a focus sentence needs at least one phrase")
    return f"{FOCUS}{'; '.join(phrases)}."


def focused_question(phrases: Sequence[str], question: str) -> str:
    """The question behind its focus sentence, or alone when there is nothing to focus on."""
    return f"{focus_sentence(phrases)}\n{question}" if phrases else question


def locate_question(target: str) -> str:
    """What the search model is asked to find `target`."""
    return f"Please locate the {target} in this image."


def cue_question(target: str) -> str:
    """What the search model is asked when it does not see `target`."""
    return (
        "According to the common sense knowledge and possible visual cues, "
        f"what is the most likely location of the {target} in the image?"
    )


def cue_prefix(target: str) -> str:
    """How every answer to `cue_question` begins; the location follows."""
    return f"The {target} is most likely to appear"


def without_article(target: str) -> str:
    """`target` without the article that people type and the sentences above already have, its
    words one space apart.
    """
    return _ARTICLE.sub("", " ".join(target.split()), count=1)
