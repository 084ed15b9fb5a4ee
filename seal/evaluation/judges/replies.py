"""Find a grade in what a judge said: one labelled value, or none at all."""

from __future__ import annotations

import json
import re

from seal.text.thinking import without_thinking

_NUMBER = r"\d+(?:\.\d+)?"
_BEFORE = r"[\s*_#>`\"'{(-]*"  # marks of Markdown, of lists and of JSON
_MARKS = r"[^\S\n]*[*_`\"']*"
_AFTER = r"[\s*_`\"'})\].]*$"


def labelled_number(
    reply: str, name: str, lowest: float, highest: float, *, alone: bool = False
) -> float | None:
    """The number on the line `name: number`; with `alone`, also a number that is the whole reply.

    None where there is no such line, where two of them differ, and where the number is outside
    lowest to highest. `8/10`, `0,5`, `50%` and `-1` are no numbers on the scale that was asked for.
    """
    found = {float(text) for text in _labelled(reply, name, _NUMBER, alone)}
    if len(found) != 1:
        return None
    (number,) = found
    return number if lowest <= number <= highest else None


def labelled_word(
    reply: str, name: str, words: tuple[str, ...], *, alone: bool = False
) -> str | None:
    """The one of `words` on the line `name: word`; see `labelled_number`."""
    pattern = "|".join(map(re.escape, words))
    found = {text.lower() for text in _labelled(reply, name, pattern, alone)}
    return found.pop() if len(found) == 1 else None


def _labelled(reply: str, name: str, value: str, alone: bool) -> list[str]:
    """What stands behind `name:`, each alone on its line; all of them, or nothing if one is not a
    value: a second, unreadable grade may be the one that was meant.
    """
    text = _as_lines(without_thinking(reply))
    lines = re.findall(rf"(?im)^{_BEFORE}{name}{_MARKS}[:=]([^\n]*)", text)
    if alone and not lines:
        lines = [text.strip()]
    whole = [re.match(rf"(?i){_MARKS}\s*({value}){_AFTER}", line) for line in lines]
    return [match.group(1) for match in whole if match] if all(whole) else []


def _as_lines(text: str) -> str:
    """A reply that is one JSON object, as lines `key: value`."""
    bare = re.sub(r"^```(?:json)?\s*|\s*```$", "", text.strip())
    if not bare.startswith("{"):
        return text
    try:
        content = json.loads(bare)
    except (ValueError, RecursionError):
        return text
    if not isinstance(content, dict):
        return text
    return "\n".join(f"{key}: {' '.join(str(value).split())}" for key, value in content.items())
