"""The question that maps are made for: without the option lines, which would draw looks as well."""

from __future__ import annotations

import re

# "(A) red", "A. red", "B) red", "1. red": what an option line begins with.
_OPTION = re.compile(r"\s*(?:\([A-Za-z0-9]\)|[A-Za-z0-9][.):])\s+\S")


def short_question(question: str) -> str:
    """What stands above the first option line; the whole question if nothing does."""
    lines = question.splitlines()
    first = next((i for i, line in enumerate(lines) if _OPTION.match(line)), len(lines))
    return "\n".join(lines[:first]).strip() or question
