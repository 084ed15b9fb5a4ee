"""What went wrong with a request: what the server says, without the key, and how long to wait."""

from __future__ import annotations

import email.utils
import json
import random
import time

import openai

_LONGEST_WAIT = 60.0  # seconds of back-off
_LONGEST_RETRY_AFTER = 600.0  # seconds; a server that asks for more is asked again then


class FaultError(Exception):
    """A request that brought no answer."""

    def __init__(
        self,
        text: str,
        *,
        repeat: bool = True,
        wait: float | None = None,
        status: int | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(text)
        self.repeat = repeat  # the same request may succeed
        self.wait = wait  # seconds that the server asked for
        self.status = status  # of HTTP; None: there was no reply, or a malformed one
        self.code = code  # the server's own word for it


class RefusedError(ValueError):
    """A request that no other would fare better than: the key, the address or the model."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status  # of HTTP


def back_off(first: float, faults: int) -> float:
    """Seconds to wait after the `faults`-th fault in a row; `first`: after the first."""
    seconds = min(first * 2 ** (faults - 1), _LONGEST_WAIT)
    # Jitter: those that failed together must not come back together.
    return seconds * random.uniform(0.5, 1.5)


def clean(text: str, key: str) -> str:
    """One line without the key: servers like to repeat it, in part or whole."""
    if key:
        text = text.replace(key, "[key]")
    return " ".join("[key]" if _looks_like_key(word, key) else word for word in text.split())[:300]


def server_text(error: openai.APIStatusError) -> str:
    """What the server says in its body, if it says anything."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        for name in ("message", "detail"):
            if isinstance(inner, dict) and inner.get(name):
                return str(inner[name])
        return json.dumps(body)
    return str(body or error.message)


def retry_after(value: str | None) -> float | None:
    """Seconds of a Retry-After header: a number or a date."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError):
            return None
    return min(seconds, _LONGEST_RETRY_AFTER) if seconds >= 0 else None


def _looks_like_key(word: str, key: str) -> bool:
    """A key shortened to its ends, or one of the common form."""
    bare = word.strip("\"'.,:;()[]{}")
    shortened = "*" in bare and bool(key) and (bare[:3] == key[:3] or bare[-4:] == key[-4:])
    return shortened or bare.startswith(("sk-", "sk_"))
