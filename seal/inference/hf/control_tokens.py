"""Text of a user that cannot be read as the model's own control tokens.

A question with `<image>` or `<|im_end|>` in it would else shift every picture or end its own turn.
`sanitize_control_tokens` of transformers does this for some processors and in some versions; this
does it for all alike, so that a result does not depend on either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any


def control_tokens(processor: Any) -> tuple[str, ...]:
    """Added tokens that mean something to the model or to its chat template, longest first."""
    tokenizer = processor.tokenizer
    template = getattr(processor, "chat_template", None) or ""
    if isinstance(template, dict):
        template = "".join(template.values())
    special = set(tokenizer.all_special_tokens)
    special |= {t.content for t in tokenizer.added_tokens_decoder.values() if t.special}
    for name in ("image_token", "video_token", "audio_token", "fake_image_token", "boi_token"):
        token = getattr(processor, name, None) or getattr(tokenizer, name, None)
        special.add(str(token) if token else "")
    named = {t.content for t in tokenizer.added_tokens_decoder.values() if t.content in template}
    found = {token for token in special | named if token.strip()}
    return tuple(sorted(found, key=lambda token: (-len(token), token)))


def as_plain_text(text: str, tokens: Iterable[str]) -> str:
    """`text` with a space behind the first character of each control token in it.

    A token of one character, which cannot be split, becomes a space.
    """
    known = list(tokens)
    if not known:
        return text
    pattern = re.compile("|".join(map(re.escape, known)))
    while pattern.search(text):  # what is left of one may make up another
        text = pattern.sub(
            lambda found: f"{found[0][0]} {found[0][1:]}" if found[0][1:] else " ", text
        )
    return text
