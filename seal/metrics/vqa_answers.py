"""Short answers made comparable: the normalization that VQA benchmarks count matches after."""

from __future__ import annotations

import re

_NUMBERS = "zero one two three four five six seven eight nine ten"
_DIGITS = {word: str(number) for number, word in enumerate(_NUMBERS.split())} | {"none": "0"}
_ARTICLES = ("a", "an", "the")
_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_THOUSANDS = re.compile(r"\d,\d")
_FULL_STOP = re.compile(r"\.(?!\d)")
_MOST_FULL_STOPS = 32  # the published code passes a flag where a count belongs
# Words whose apostrophe is put back where an answer lacks one of it.
_CONTRACTIONS = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't
    haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've
    might've mustn't must've needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've
    shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll
    someone's something'd something'd've something'll that's there'd there'd've there're there's
    they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're
    what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're
    why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're
    you've
"""


def _without_one_apostrophe(word: str) -> list[str]:
    return [word[:i] + word[i + 1 :] for i, letter in enumerate(word) if letter == "'"]


_RIGHT = {wrong: word for word in _CONTRACTIONS.split() for wrong in _without_one_apostrophe(word)}
_RIGHT["somebody'd"] = "somebodyd"  # the published table has this one the wrong way round


def normalize_answer(text: str) -> str:
    """Lower case, no articles, number words as digits, no punctuation but within numbers.

    The article goes even where it is the whole answer: "A" becomes "".
    """
    words = [_DIGITS.get(word, word) for word in strip_punctuation(text).lower().split()]
    kept = [word for word in words if word not in _ARTICLES]
    return " ".join(_RIGHT.get(word, word) for word in kept)


def comparable_answer(text: str) -> str:
    """What answers are compared by: normalized, but for one of articles alone, which stays apart
    from an empty one and from other articles. "A." is the letter that "A" is.
    """
    return normalize_answer(text) or " ".join(strip_punctuation(text).lower().split())


def strip_punctuation(text: str) -> str:
    """Each mark as a blank, or nothing where it stands beside a blank somewhere in the text.

    In a text with a comma between digits every mark becomes nothing. Full stops go unless a digit
    follows, the first 32 of them.
    """
    has_thousands = _THOUSANDS.search(text) is not None
    out = text
    for mark in _MARKS:
        beside_blank = f"{mark} " in text or f" {mark}" in text
        out = out.replace(mark, "" if has_thousands or beside_blank else " ")
    return _FULL_STOP.sub("", out, count=_MOST_FULL_STOPS)
