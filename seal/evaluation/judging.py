"""Which option a prediction chose: by likelihood, letter or words; a tie chooses none."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seal.text.letters import LETTERS

# A letter is an answer if its line ends behind it or punctuation follows: "A mug" names none.
_ENDS = r"(?=[^\S\n]*(?:\n|\Z)|[).:,;])"


@dataclass(frozen=True, slots=True)
class Choice:
    """What an answer comes down to. Neither a tie nor an unusable answer chooses anything."""

    option: int | None
    tie: bool = False
    invalid: bool = False


def by_likelihood(losses: Sequence[float | None]) -> Choice:
    """The option of the lowest loss; benchmarks list the true one first, so position is no help.

    A loss that is not finite (None in files, which have no other word for it) makes it invalid.
    """
    finite = [loss for loss in losses if loss is not None and math.isfinite(loss)]
    if not losses or len(finite) < len(losses):
        return Choice(None, invalid=True)
    best = min(finite)
    if finite.count(best) > 1:
        return Choice(None, tie=True)
    return Choice(finite.index(best))


def presented_order(num_options: int, question_id: str, seed: int) -> list[int]:
    """A permutation of the options that depends on the seed and the question alone."""
    digest = hashlib.sha256(f"{seed}\0{question_id}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    return [int(i) for i in rng.permutation(num_options)]


def by_letter(text: str, options: Sequence[str], order: Sequence[int]) -> Choice:
    """The option whose letter was generated: alone on its line, in parentheses, before
    punctuation, or as in "Answer: B".

    An answer that repeats an option's words instead of its letter counts as that option. Several
    letters and nothing else choose nothing, and the first of a list of options that is repeated is
    no answer either: else whoever says everything would earn what stands first.
    """
    text = text.replace("*", "")  # **B** is Markdown's emphasis
    last = LETTERS[len(order) - 1]
    if len(order) > 1 and _says_letters_alone(text, last):
        return Choice(None, invalid=True)
    letter = rf"(?:\(([A-{last}])\)|([A-{last}]){_ENDS})"
    listed = _repeats_the_list(text, [options[i] for i in order])
    found = None if listed else re.match(rf"\s*{letter}", text)
    found = found or re.search(rf"\b(?i:answer(?: is)?)(?:\s*:\s*|\s+){letter}", text)
    if found:
        return Choice(order[LETTERS.index(found.group(1) or found.group(2))])
    anywhere = set(re.findall(rf"\(([A-{last}])\)", text))
    if len(anywhere) == 1:
        return Choice(order[LETTERS.index(anywhere.pop())])
    return by_words(text, options)


def _says_letters_alone(text: str, last: str) -> bool:
    """Whether two letters or more are all that is said: "A, B", "(A) or (B)"."""
    said = [word for word in re.split(r"[^\w]+", text) if word and word not in ("and", "or")]
    return len(set(said)) > 1 and all(len(word) == 1 and "A" <= word <= last for word in said)


def _repeats_the_list(text: str, shown: Sequence[str]) -> bool:
    """Whether two options or more stand behind their letters, as in the question."""
    said = f" {_words(text)} "
    lines = (f" {letter.lower()} {_words(o)} " for letter, o in zip(LETTERS, shown, strict=False))
    return sum(line in said for line in lines) > 1


def by_words(text: str, options: Sequence[str]) -> Choice:
    """The option the text equals, or the only one it contains; several say nothing."""
    said = _words(text)
    plain = [_words(option) for option in options]
    equal = [i for i, option in enumerate(plain) if option == said]
    if len(equal) == 1:
        return Choice(equal[0])
    inside = [i for i, option in enumerate(plain) if option and f" {option} " in f" {said} "]
    # An option may be part of a longer one: "red" within "dark red".
    inside = [i for i in inside if not any(_within(plain[i], plain[j]) for j in inside if j != i)]
    return Choice(inside[0]) if len(inside) == 1 else Choice(None, invalid=True)


def _within(short: str, long: str) -> bool:
    return short != long and f" {short} " in f" {long} "


def _words(text: str) -> str:
    return " ".join(re.findall(r"[\w']+", text.lower()))
