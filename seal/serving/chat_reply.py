"""Replies in OpenAI's form: a completion, the chunks of a stream, the list of models."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from seal.pipeline.answer import Answer
from seal.serving.chat_request import ChatRequest
from seal.serving.found import told_answer

END = b"data: [DONE]\n\n"


@dataclass(slots=True)
class ChatReply:
    """Of one request, as a whole or as it comes about."""

    model: str
    request: ChatRequest
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The completion; `seal` beside `choices` holds what was looked for and found."""
        text, why = self._text(answer)
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": why}
        return self._head("chat.completion") | {
            "choices": [choice],
            "usage": usage(answer),
            "seal": self._told(answer),
        }

    def begin(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def event(self, told: dict[str, Any]) -> bytes:
        """A chunk without text, whose `seal` tells what has just happened."""
        return self._chunk({}, seal=told)

    def end(self, answer: Answer) -> Iterator[bytes]:
        """The text, why it ends with what was found, what it cost if that is wanted, the end."""
        text, why = self._text(answer)
        yield self._chunk({"content": text})
        yield self._chunk({}, why, seal=self._told(answer))
        if self.request.include_usage:
            last = self._head("chat.completion.chunk") | {"choices": [], "usage": usage(answer)}
            yield server_sent(last)
        yield END

    def _chunk(
        self, delta: dict[str, Any], why: str | None = None, seal: dict[str, Any] | None = None
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": why}
        told = self._head("chat.completion.chunk") | {"choices": [choice]}
        if self.request.include_usage:
            told["usage"] = None
        if seal is not None:
            told["seal"] = seal
        return server_sent(told)

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _text(self, answer: Answer) -> tuple[str, str]:
        text = self.request.cut(answer.text)
        return text, "stop" if answer.finished or text != answer.text else "length"

    def _told(self, answer: Answer) -> dict[str, Any]:
        return told_answer(answer, trace=self.request.trace, not_used=self.request.not_used)


def server_sent(value: dict[str, Any]) -> bytes:
    """One event of a stream."""
    return b"data: " + as_json(value) + b"\n\n"


def as_json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False).encode()


def usage(answer: Answer) -> dict[str, int]:
    """Tokens that all of the question's prompts and answers took, its first answer among them."""
    spent = answer.cost.get("answer_model", {})
    read, written = (round(spent.get(name, 0)) for name in ("tokens_read", "tokens_written"))
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def model_entry(name: str, created: int) -> dict[str, Any]:
    """As `/v1/models` tells of a model."""
    return {"id": name, "object": "model", "created": created, "owned_by": "seal"}
