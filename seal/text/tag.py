"""Words of a location phrase with their parts of speech, without a download.

textblob's word list, corrected by closed classes of the words that such phrases turn on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

TOKEN = re.compile(r"\w+(?:-\w+)*|'s\b|'(?=\s|$)|[^\w\s]")


@dataclass(slots=True)
class Token:
    """A token of a dependency parse, in the labels that spaCy uses."""

    text: str
    pos: str  # universal part of speech
    dep: str = "dep"  # relation to the head
    head: int = 0  # index of the head; its own at the root
    start: int = 0  # first character in the text


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DETERMINERS = _words(
    "the a an this these those some any each every another all both no either neither"
)
POSSESSIVES = _words("my your his her its our their whose")
PRONOUNS = _words(
    "it he she they him them me you us we someone somebody anyone something anything everyone "
    "everything itself themselves"
)
WH_PRONOUNS = _words("who whom which that what")
WH_ADVERBS = _words("where when while")
PREPOSITIONS = _words(
    "on in at of near with by from to into onto inside outside over under above below beneath "
    "underneath behind beside besides between among amongst around along alongside across against "
    "through throughout towards toward within without for beyond past down up upon off during "
    "like about amid amidst atop aboard opposite via facing"
)
# Adverbs that take `to`, `from` or `of`: their phrase belongs to the clause, not to a noun.
PLACE_ADVERBS = _words("next close adjacent far away near nearby closer nearest")
CONJUNCTIONS = _words("and or but nor")
SUBORDINATORS = _words("as because since if although though so whether unless")
AUXILIARIES = _words(
    "is are was were be been being am can could may might must shall should will would has have "
    "had do does did"
)
ADVERBS = _words(
    "somewhere anywhere everywhere elsewhere here there outdoors indoors often usually typically "
    "commonly very too most more just only also possibly probably likely perhaps maybe not "
    "directly together high low"
)
NUMBERS = _words("two three four five six seven eight nine ten several many few")
# Words the tagger takes for verbs, adjectives or prepositions, and that name places and things.
NOUNS = _words(
    "top bottom front back left right side middle center centre edge corner end rear interior "
    "exterior inside outside background foreground building ceiling railing painting clothing "
    "awning opening crossing landing bedding wing ring string swing lighting siding wedding "
    "stand drive walk run counter cover light park field lot set cut pot plate plant"
)
UNIVERSAL = {"NN": "NOUN", "PR": "PRON", "JJ": "ADJ", "VB": "VERB", "RB": "ADV", "CD": "NUM"}


def tag_words(text: str) -> list[Token]:
    """The tokens of a text with universal parts of speech; heads and relations are not set."""
    from textblob.en import parser  # takes a second to load, and only this needs it

    tokens = [Token(match.group(), "X", start=match.start()) for match in TOKEN.finditer(text)]
    words = [token.text.lower() for token in tokens]
    for i, (word, penn) in enumerate(parser.find_tags(words)):
        before = words[i - 1] if i > 0 else ""
        after = words[i + 1] if i + 1 < len(words) else ""
        pos = _part_of_speech(word, penn, before, after)
        name = i > 0 and tokens[i].text[0].isupper()  # the first word is a capital anyway
        tokens[i].pos = "PROPN" if name and pos == "NOUN" else pos
    return tokens


def _part_of_speech(word: str, penn: str, before: str, after: str) -> str:
    if not word[0].isalnum():
        return "PART" if word[0] == "'" else "PUNCT"
    opened = before in DETERMINERS or before in POSSESSIVES  # within a noun phrase
    if word in PLACE_ADVERBS and (word != "near" or after == "to"):
        return "ADJ" if opened else "ADV"
    for words, pos in (
        (DETERMINERS, "DET"),
        (POSSESSIVES, "PRON"),
        (PRONOUNS, "PRON"),
        (WH_PRONOUNS, "PRON"),
        (WH_ADVERBS, "SCONJ"),
        (CONJUNCTIONS, "CCONJ"),
        (SUBORDINATORS, "SCONJ"),
        (AUXILIARIES, "AUX"),
        (NUMBERS, "NUM"),
        (ADVERBS, "ADV"),
    ):
        if word in words:
            return pos
    if word in PREPOSITIONS and not (word in NOUNS and (opened or after == "of")):
        return "ADP" if after or word not in NOUNS else "ADV"
    if word in NOUNS:
        return "NOUN"
    if word == "one" or word.isdigit():
        return "NUM"
    if penn.startswith("RB") and not word.endswith("ly"):
        return "NOUN"  # what the list does not know as a function word is a thing
    return UNIVERSAL.get(penn[:2], "NOUN")
