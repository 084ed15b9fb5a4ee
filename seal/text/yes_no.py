"""Whether an answer in words is Yes or No, in the languages in which models answer."""

from __future__ import annotations

import re

from seal.text.thinking import without_thinking

# fmt: off
YES = frozenset((
    "yes", "ja", "oui", "sí", "si", "sì", "sim", "да", "так", "tak", "evet", "はい", "네", "예",
    "是", "是的", "可以", "能", "نعم", "हाँ", "हां",
))
NO = frozenset((
    "no", "nein", "non", "não", "nao", "нет", "ні", "nie", "hayır", "いいえ", "아니요", "否",
    "不", "不是", "不能", "不可以", "لا", "नहीं", "nej", "nee",
))
# fmt: on
_WORD = re.compile(r"[^\W\d_][\w\u0900-\u0963]*")


def parse_yes_no(text: str) -> bool | None:
    """What the first word says; None if it is neither, or nothing was said."""
    first = _WORD.search(without_thinking(text))
    word = first.group().casefold() if first is not None else ""
    if word in YES:
        return True
    return False if word in NO else None
