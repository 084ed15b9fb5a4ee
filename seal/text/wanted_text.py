"""What text a target asks for: "the word 'EXIT' on the door" -> EXIT."""

from __future__ import annotations

import re

from seal.text.prompts import without_article

_QUOTED = re.compile(
    r'"([^"]+)"|\u201c([^\u201d]+)\u201d|\u00ab([^\u00bb]+)\u00bb|\u2018([^\u2019]+)\u2019'
    # An apostrophe inside a word ends nothing.
    r"|(?<!\w)'((?:[^']|'(?=\w))+)'(?!\w)"
)
_KINDS = r"(?:texts?|words?|letters?|numbers?|names?|titles?|inscriptions?|lettering|digits?)"
_OF_TEXT = re.compile(rf"^(?:printed |written )?{_KINDS}\b[ :,]*", re.I)
# What may come before the text itself, in small letters: "the text Reading Room" is all text.
_SAYING = re.compile(
    r"^(?:(?:that|which) (?:say|read|spell)s?|(?:say|read|spell)(?:s|ing))\b[ :,]*"
)
# What may come instead of it.
_OF_THING = re.compile(r"^of\s+(?:the|a|an|his|her|its|their|that|this)\b.*$", re.I)
_SAYS = re.compile(
    r"^.*?\b(?:say(?:s|ing)|read(?:s|ing)|label(?:l?ed|l?ing)|(?:en)?titled|marked|named|"
    r"spell(?:s|ing))\b[ :,]*",
    re.I,
)
_WHERE = re.compile(
    r"(?:^|\s+)(?:on|in|at|above|below|under|over|near|beside|behind|next to|across|along|inside)"
    r"\s+(?:the|a|an|his|her|its|their|that|this)\b.*$",
    re.I,
)
_CARRIER = re.compile(
    r"\s+(?:sign|signs|signboard|label|logo|text|word|words|letters|lettering|banner|sticker|"
    r"poster|billboard|board|plate|button|inscription|brand)$",
    re.I,
)


def wanted_texts(target: str) -> list[str]:
    """Texts to look for, the most literal first; none if the target names no text.

    What stands in quotes is taken as it is, all of it if there are several quotes. Else what
    follows "the text", "the word" or "a sign that says", up to where it is ("on the door"); else
    the target itself, and without the thing that bears it ("exit sign": also "exit").
    """
    if quotes := [next(filter(None, found)) for found in _QUOTED.findall(target)]:
        return _distinct([quote.strip() for quote in quotes])
    rest = without_article(target.strip())
    told = _OF_TEXT.sub("", rest, count=1)
    if told == rest:
        told = _SAYS.sub("", rest, count=1)
    else:
        told = _OF_THING.sub("", _SAYING.sub("", told, count=1) or told)
    placed = _WHERE.sub("", told).strip(" .,:;?!")
    if told != rest:
        return _distinct([placed])
    return _distinct([placed, _CARRIER.sub("", placed)])


def _distinct(texts: list[str]) -> list[str]:
    """Each once, of those that hold a letter or a digit."""
    return [text for text in dict.fromkeys(texts) if any(map(str.isalnum, text))]
