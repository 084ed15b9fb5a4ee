"""How likely words are to begin an answer, from the likeliest first tokens that a server tells."""

from __future__ import annotations

import math
from collections.abc import Sequence

from seal.inference.answers.first_tokens import first_ids

# Before a word; the last three as servers write them that tell tokens instead of text.
_SPACES = " \t\n\r\u0120\u010a\u2581"


def first_words(words: Sequence[str]) -> list[str]:
    """What the first tokens of answers are compared with: each answer's first word.

    Raises:
        ValueError: an empty word, or two that begin with the same.
    """
    for word in words:
        if not word.strip():
            raise ValueError("an empty answer has no first token: leave it out")
    beginnings = [word.split()[0] for word in words]
    numbers = {beginning: i for i, beginning in enumerate(beginnings)}
    first_ids(words, lambda word: numbers[word.split()[0]])
    return beginnings


def word_losses(words: Sequence[str], tokens: Sequence[tuple[str, float]]) -> list[float]:
    """-log p that the answer begins with each word; infinity where the tokens do not tell.

    A word is the sum of the tokens that spell it whole, with and without a space before it. One
    that no token spells is the longest token that begins it and no other word: a longer word is
    several tokens.

    Args:
        tokens: each with log p.

    Raises:
        ValueError: see `first_words`.
    """
    beginnings = first_words(words)
    spelt: dict[str, list[float]] = {}
    for token, log_p in tokens:
        if bare := token.lstrip(_SPACES).rstrip():
            spelt.setdefault(bare, []).append(log_p)
    losses = []
    for word in beginnings:
        others = [other for other in beginnings if other != word]
        parts = [
            part
            for part in spelt
            if word.startswith(part)
            and (part == word or not any(other.startswith(part) for other in others))
        ]
        losses.append(_loss(spelt[max(parts, key=len)]) if parts else math.inf)
    return losses


def _loss(log_ps: Sequence[float]) -> float:
    most = max(log_ps)
    if most == -math.inf:
        return math.inf
    # Never below zero: rounded sums of probabilities may exceed one.
    return max(0.0, -(most + math.log(sum(math.exp(p - most) for p in log_ps))))
