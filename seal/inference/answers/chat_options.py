"""How an answer model that is not of this project is loaded and shown things."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from seal.inference.answers.layouts import LAYOUTS

_BOTH = ("layout", "max_pixels")
_HUB = ("min_pixels", "device_map", "revision", "trust_remote_code")  # of a model that is loaded


@dataclass(kw_only=True, slots=True)
class ChatOptions:
    """For models of the hub and servers; SEAL's own VQA LLM reads none of this."""

    layout: str = "interleaved"  # of the working memory: interleaved | images_first | bare
    min_pixels: int | None = None  # of each image after the model's own resizing; None: its own
    max_pixels: int | None = None  # the budget moves results by points, and is part of every result
    device_map: str | None = None  # spread over the GPUs here, e.g. auto (models of the hub)
    revision: str | None = None  # branch, tag or commit on the hub; None: main
    trust_remote_code: bool = False  # run Python code that comes with the model
    api_key_env: str = "OPENAI_API_KEY"  # the variable that holds a server's key
    concurrency: int = 16  # requests a server is sent at a time
    timeout: float = 300.0  # seconds for one request to a server
    temperature: float | None = 0.0  # a server's; None: not sent, for models that refuse it
    top_logprobs: int = 20  # likeliest first tokens that a server is asked for
    extra: dict[str, Any] = field(default_factory=dict)  # more fields of requests to a server
    check_vision: bool = True  # ask a server first whether a picture reaches the model

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout={self.layout!r} is none of {', '.join(LAYOUTS)}")
        for name in ("min_pixels", "max_pixels"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        if None not in (self.min_pixels, self.max_pixels) and self.min_pixels > self.max_pixels:  # type: ignore[operator]
            raise ValueError(
                f"min_pixels={self.min_pixels} is more than max_pixels={self.max_pixels}"
            )

    def unused(self, kind: str) -> list[str]:
        """What is set here and an answer model of this kind (`seal`, `hf`, `endpoint`) ignores."""
        own = ChatOptions()
        names = [f.name for f in fields(self) if getattr(self, f.name) != getattr(own, f.name)]
        if kind == "hf":
            return [name for name in names if name not in (*_BOTH, *_HUB)]
        if kind == "endpoint":
            return [name for name in names if name in _HUB]
        return names
