"""Letters that no font here has, spelt with those that one has: readable, if not as written."""

from __future__ import annotations

import unicodedata
from itertools import groupby

_LETTER_WORDS = ("LETTER", "SYLLABLE", "CHARACTER", "VOWEL SIGN", "SIGN")
_REGION = "REGIONAL INDICATOR SYMBOL LETTER "  # two make a flag
_IDEOGRAPHS = ("CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH")


def script(letter: str) -> str:
    """The script of a letter as Unicode names it ("THAI", "CJK"), "" of what has no name."""
    return unicodedata.name(letter, "").partition(" ")[0]


def spelt(text: str) -> str:
    """Text of letters that cannot be drawn, in ASCII.

    Accents are left away, letters are spelt by the sound in their Unicode name, signs by that name
    in parentheses; of ideographs, which name no sound, only the number is told.
    """
    return "".join(
        _ideographs(len(list(part))) if many else "".join(map(_one, part))
        for many, part in groupby(text, key=_is_ideograph)
    )


def _is_ideograph(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith(_IDEOGRAPHS)


def _ideographs(count: int) -> str:
    return f"[{count} ideograph{'s' if count > 1 else ''}]"


def _one(letter: str) -> str:
    bare = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    if bare:
        return bare
    if unicodedata.name(letter, "").startswith(_REGION):
        return unicodedata.name(letter)[len(_REGION) :]
    if unicodedata.category(letter)[0] in "MC" and not _sound(letter):
        return ""  # accents alone, joiners, variants
    return _sound(letter) or f"({unicodedata.name(letter, f'U+{ord(letter):04X}').lower()})"


def _sound(letter: str) -> str:
    """The sound of a letter, from a name such as HANGUL SYLLABLE HAN; "" if it names none."""
    name = unicodedata.name(letter, "")
    if unicodedata.category(letter)[0] not in "LM":
        return ""
    if "VIRAMA" in name or "VARIATION SELECTOR" in name or "COMBINING" in name:
        return ""
    if name.startswith(("THAI CHARACTER ", "LAO LETTER ")):
        # The sound comes first, then what the letter is called by: KO KAI; of a vowel, SARA AI.
        first, *more = name.split()[2:]
        sound = more[0] if first == "SARA" and more else first.removesuffix("O")
        return "" if first == "MAI" else sound.lower()
    for word in _LETTER_WORDS:
        _, found, sound = name.partition(f" {word} ")
        if found:
            return sound.replace("SMALL ", "").split(" WITH ")[0].split()[-1].lower()
    return ""
