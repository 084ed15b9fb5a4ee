"""What is left of a text that is too long for a text tower: a cut must not go unsaid."""

from __future__ import annotations

from typing import Any


def cut_to(tokenizer: Any, text: str, longest: int) -> str | None:
    """What a tower that reads `longest` tokens, marks included, gets of `text`; None: all of it."""
    whole = tokenizer(text)["input_ids"]
    if len(whole) <= longest:
        return None
    read = tokenizer(text, truncation=True, max_length=longest)["input_ids"]
    return str(tokenizer.decode(read, skip_special_tokens=True)).strip()
