"""Quote what a user gave in an error message, at most a line of it."""

from __future__ import annotations

LONGEST = 100  # characters
_END = 20  # of these, how many are kept of the end


def quoted(value: object) -> str:
    """`repr` of the value; a long one without its middle, and with its length."""
    text = value if isinstance(value, str) else " ".join(repr(value).split())
    told = text if len(text) <= LONGEST else f"{text[: LONGEST - _END]} ... {text[-_END:]}"
    shown = repr(told) if isinstance(value, str) else told
    return shown if told == text else f"{shown} ({len(text):,} characters)"
