"""What is kept of a server's reply: words, counts, and the likeliest first tokens."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from openai.types.chat import ChatCompletion

from seal.endpoint.faults import FaultError

# vLLM and OpenAI write this or less where a token is impossible: JSON has no infinity.
_IMPOSSIBLE = -9999.0


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a chat."""

    text: str  # stripped; empty where the server gives none
    finish: str  # "stop", "length" (cut at the limit), or the server's own word
    tokens_read: int | None  # of the prompt, as the server counts; None: it does not tell
    tokens_written: int | None
    first: tuple[tuple[str, float], ...] | None  # tokens the answer may begin with, and log p

    @classmethod
    def of(cls, completion: ChatCompletion) -> Reply:
        """Raises a FaultError for what is no reply of a chat."""
        try:
            choice, usage = completion.choices[0], completion.usage
            text = choice.message.content
            if not isinstance(text, str | None):
                raise TypeError("the answer is no text")
            return cls(
                text=(text or "").strip(),
                finish=str(choice.finish_reason),
                tokens_read=usage.prompt_tokens if usage else None,
                tokens_written=usage.completion_tokens if usage else None,
                first=_first_tokens(completion),
            )
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise FaultError(f"malformed response: {error}") from None

    def to_json(self) -> str:
        first = self.first and [[t, p if math.isfinite(p) else None] for t, p in self.first]
        return json.dumps(
            [self.text, self.finish, self.tokens_read, self.tokens_written, first],
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, line: str) -> Reply:
        text, finish, read, written, first = json.loads(line)
        if first is not None:
            first = tuple((token, -math.inf if p is None else p) for token, p in first)
        return cls(text, finish, read, written, first)


def _first_tokens(completion: ChatCompletion) -> tuple[tuple[str, float], ...] | None:
    """None: the server gives no alternatives."""
    told = completion.choices[0].logprobs
    if told is None or not told.content or not told.content[0].top_logprobs:
        return None
    tokens = [_token(token) for token in told.content[0].top_logprobs]
    # The one that was drawn need not be among the likeliest.
    drawn = _token(told.content[0])
    return (*tokens, *(() if drawn in tokens else (drawn,)))


def _token(told: Any) -> tuple[str, float]:
    log_p = float(told.logprob)
    if math.isnan(log_p):
        raise ValueError("a logprob is not a number")
    # Tokens that are part of a character have no text of their own, but bytes.
    text = _text(told.bytes) or str(told.token)
    return text, log_p if log_p > _IMPOSSIBLE else -math.inf


def _text(values: list[int] | None) -> str | None:
    try:
        return bytes(values or []).decode()
    except (TypeError, ValueError):
        return None
