"""How an endpoint is asked that answers in a model's place."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seal.files.cache_folder import cache_folder
from seal.inference.answers.layouts import LAYOUTS
from seal.text.quote import quoted

_DETAILS = ("low", "high", "auto", "original")
_OURS = ("messages", "model", "max_tokens", "max_completion_tokens", "logprobs", "top_logprobs")


@dataclass(kw_only=True, slots=True)
class EndpointConfig:
    """The key is in the environment, never in here."""

    api_key_env: str = "OPENAI_API_KEY"  # the variable that holds the key
    layout: str = "interleaved"  # how the working memory becomes a conversation
    max_pixels: int | None = None  # of one picture, larger ones are resized; None: sent as they are
    detail: str | None = None  # of pictures, where a provider knows it: low | high | auto
    temperature: float | None = 0.0  # None: not sent, for models that refuse it
    top_logprobs: int = 20  # first tokens that are asked for; OpenAI's limit
    extra: dict[str, Any] = field(default_factory=dict)  # more fields of each request
    check_vision: bool = True  # first ask with a test picture whether pictures reach the model
    concurrency: int = 16  # requests in flight
    attempts: int = 6  # requests for one prompt before it is given up
    timeout: float = 300.0  # seconds for one request
    backoff: float = 1.0  # seconds before the first repetition; doubled for each further one
    cache: str | None = None  # file of answers; None: $SEAL_CACHE/answers.sqlite; "": none

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout={self.layout!r} is none of {', '.join(LAYOUTS)}")
        if self.detail is not None and self.detail not in _DETAILS:
            raise ValueError(f"detail={self.detail!r} is none of {', '.join(_DETAILS)}")
        for name, least in (
            ("max_pixels", 1), ("temperature", 0), ("top_logprobs", 1), ("concurrency", 1),
            ("attempts", 1), ("backoff", 0),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not (least <= value < math.inf):
                raise ValueError(f"{name}={value} must be at least {least}")
        if not 0 < self.timeout < math.inf:
            raise ValueError(f"timeout={self.timeout} must be positive seconds")
        if taken := sorted(set(self.extra) & {*_OURS, "temperature"}):
            raise ValueError(f"extra={quoted(self.extra)} must not hold {', '.join(taken)}")

    @property
    def cache_path(self) -> Path | None:
        """None: nothing is kept."""
        if self.cache is None:
            return cache_folder() / "answers.sqlite"
        return Path(self.cache) if self.cache else None
