"""The things that an English question names: what could be searched for to answer it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from seal.text.phrases import choose_parser
from seal.text.tag import (
    ADVERBS,
    AUXILIARIES,
    CONJUNCTIONS,
    DETERMINERS,
    POSSESSIVES,
    PREPOSITIONS,
    PRONOUNS,
    TOKEN,
    WH_ADVERBS,
    WH_PRONOUNS,
    Token,
)

HEADS = ("NOUN", "PROPN")
# Dependents that belong to the name of a thing, left of it.
NAMING = ("amod", "compound", "poss", "nmod", "advmod")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that a question asks for, or by which it says where: they are not to be seen by themselves.
ASKED = _words(
    "color colour colors colours pose one ones material kind type sort brand shape size number "
    "amount count time pattern position location direction side left right top bottom front "
    "back middle center centre corner end edge part rest relation distance image picture photo "
    "photograph scene view foreground background what which who whom how where when why thing "
    "things object objects something anything someone anyone name word words text letter "
    "letters answer red blue green yellow black white brown gray grey purple pink question "
    "option options breed species gender age weather day night way reason purpose"
)
PEOPLE = _words(
    "person people man men woman women boy girl kid child children lady guy player rider cyclist "
    "worker officer driver passenger skier surfer"
)
COUNTED = _words("how many much what which whose can")  # before a thing, no part of its name
_ENGLISH = (
    DETERMINERS | POSSESSIVES | PRONOUNS | WH_PRONOUNS | WH_ADVERBS | PREPOSITIONS | CONJUNCTIONS
    | AUXILIARIES | ADVERBS | _words("how why")
)  # fmt: skip
LATIN = "\u024f"  # the last of its letters
_OPTION = re.compile(r"^\s*(?:\(?[A-Ha-h]\)|[A-H][.:])\s")
_INSTRUCTION = re.compile(r"^\s*(?:answer|please|choose|select|respond|reply)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.?!\n]+[.?!]?")


def question_things(question: str) -> tuple[list[str], str]:
    """Names of things, as they stand in the question and in its order, and what parsed it.

    Lines of options and sentences that say how to answer are left out. Nothing is named of a
    question that is not in English, as far as its little words tell.
    """
    parser, extractor = choose_parser()
    things: list[str] = []
    for sentence in _sentences(question):
        if _is_english(sentence):
            things += _things(sentence, parser(sentence))
    return list(dict.fromkeys(things)), extractor


def _sentences(question: str) -> list[str]:
    lines = [line for line in question.splitlines() if not _OPTION.match(line)]
    sentences = [match.group().strip() for line in lines for match in _SENTENCE.finditer(line)]
    return [s for s in sentences if s and not _INSTRUCTION.match(s)]


def _is_english(sentence: str) -> bool:
    """A quarter of the words, if there are three or more, are English ones that hold others."""
    words = [w.lower() for w in TOKEN.findall(sentence) if w[0].isalnum()]
    if any(letter > LATIN for word in words for letter in word):
        return False
    return len(words) < 3 or 4 * sum(word in _ENGLISH for word in words) >= len(words)


def _things(sentence: str, tokens: Sequence[Token]) -> list[str]:
    """The longest names; of `color of the mug`, `mug color` and `mug left of`, the mug."""
    spans: list[tuple[int, int]] = []
    for head in range(len(tokens)):
        if tokens[head].pos in HEADS and not _names_another(tokens, head):
            first, last = _span(tokens, head)
            if last < first:
                continue
            if spans and _describes(tokens, spans[-1], first):
                first = spans.pop()[0]
            spans.append((first, last))
    return [
        sentence[tokens[first].start : tokens[last].start + len(tokens[last].text)]
        for first, last in spans
    ]


def _describes(tokens: Sequence[Token], before: tuple[int, int], first: int) -> bool:
    """Whether what starts at `first` tells one from others: `man with a cap`, `man in the coat`."""
    between = [token.text.lower() for token in tokens[before[1] + 1 : first]]
    if not between or any(word not in DETERMINERS for word in between[1:]):
        return False
    person = tokens[before[1]].text.lower() in PEOPLE
    return between[0] == "with" or (person and between[0] in ("in", "on", "wearing"))


def _names_another(tokens: Sequence[Token], i: int) -> bool:
    """A part of the name of what follows it."""
    head = tokens[i].head
    return head > i and tokens[i].dep in NAMING and tokens[head].pos in HEADS


def _span(tokens: Sequence[Token], head: int) -> tuple[int, int]:
    """From the first word of the name to the last; an empty one (last < first) is no name."""
    first = head
    while first > 0 and _belongs(tokens, first - 1, head):
        first -= 1
    # A question with `does` needs a verb: a noun right before its end is one taken for a thing.
    last = head
    if head > first and _is_last_word(tokens, head) and _lacks_verb(tokens):
        last -= 1
    if "than" in [token.text.lower() for token in tokens[last : last + 2]]:
        return first, first - 1  # `bigger`, to a tagger that takes it for a thing
    while last >= first and tokens[last].text.lower() in (*ASKED, "than"):
        last -= 1
    while first <= last and (
        tokens[first].pos in ("DET", "PART", "PUNCT") or tokens[first].text.lower() in COUNTED
    ):
        first += 1
    return first, last + (last >= first and _is_can(tokens, last + 1))


def _is_can(tokens: Sequence[Token], i: int) -> bool:
    """The thing, as in `trash can`, which taggers take for the verb: no verb follows."""
    behind = tokens[i + 1].pos if i + 1 < len(tokens) else "PUNCT"
    can = i < len(tokens) and tokens[i].text.lower() == "can"
    return can and behind in ("PUNCT", "ADP", "CCONJ")


def _belongs(tokens: Sequence[Token], i: int, head: int) -> bool:
    """Whether the word is a dependent, of a dependent, that names."""
    while i != head:
        if tokens[i].dep not in (*NAMING, "case", "det") or tokens[i].head == i:
            return False
        if tokens[i].text.lower() in POSSESSIVES or tokens[i].dep == "det":
            return tokens[i].head != head  # `the man's hat` keeps its inner article
        i = tokens[i].head
    return True


def _is_last_word(tokens: Sequence[Token], i: int) -> bool:
    return all(token.pos == "PUNCT" for token in tokens[i + 1 :])


def _lacks_verb(tokens: Sequence[Token]) -> bool:
    helped = any(token.text.lower() in ("do", "does", "did") for token in tokens)
    return helped and not any(token.pos == "VERB" for token in tokens)
