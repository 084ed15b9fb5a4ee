"""A question without what stands behind it: a list of options, and how to answer."""

from __future__ import annotations

import re

_OPTION = re.compile(r"\s*\(?([A-Z])[).:]\s*\S")  # "A. red", "(A) red", "A: red"
# Lines that say how to answer, and the heads of a list of options.
_HOW = re.compile(
    r"\s*(?:answer|please|respond|reply|select|choose|give|output|use|provide)\b"
    r".*\b(?:answer|options?|choices?|letters?|words?|phrase|sentence|yes or no)\b.*"
    r"|\s*answer\b.*"
    r"|.*\b(?:options|choices)\b.*:\s*",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\s*question\s*:\s*", re.IGNORECASE)


def bare_question(text: str) -> str:
    """The question without its options and without how to answer, which name nothing to search for.

    The text itself where nothing else would be left.
    """
    lines = text.split("\n")
    letters = [_letter(line) for line in lines]
    first = next((i for i, letter in enumerate(letters) if letter == "A" and i > 0), None)
    if first is not None and "B" in letters[first + 1 :]:
        lines = lines[:first]
    while len(lines) > 1 and (not lines[-1].strip() or _HOW.fullmatch(lines[-1])):
        lines.pop()
    bare = _LABEL.sub("", "\n".join(lines), count=1) if _LABEL.match(lines[0]) else "\n".join(lines)
    return bare.strip() or text


def _letter(line: str) -> str:
    found = _OPTION.match(line)
    return found.group(1) if found else ""
