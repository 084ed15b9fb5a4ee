"""The limits of a server: what one request may take, and how many may wait."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real

from seal.inference.answers.protocol import MAX_ANSWER_TOKENS


@dataclass(kw_only=True, slots=True)
class ServeConfig:
    """Every limit answers with an error that names it."""

    model_name: str = "seal"  # what requests call it
    api_key: str | None = None  # that requests must bring; None: anybody may ask
    # A photo of 7680 x 4320 pixels as PNG takes 70 MB, and a third more as base64.
    max_body_mb: float = 100.0  # of one request, in millions of bytes
    max_held_mb: float = 2000.0  # of all requests that are here at the same time
    max_image_pixels: int = 50_000_000  # four bytes of memory each, once it is open
    max_waiting: int = 256  # questions that wait for a place
    max_questions: int | None = None  # under way at a time; None: what suits the models
    # Of an answer; harnesses ask for a thousand and more, for which SEAL's context has no room.
    max_tokens: int = MAX_ANSWER_TOKENS
    timeout: float = 600.0  # seconds from the first byte of a request to its answer
    grace: float = 60.0  # seconds that open requests have, once the server is told to stop

    def __post_init__(self) -> None:
        for name in ("max_image_pixels", "max_waiting", "max_questions", "max_tokens"):
            value = getattr(self, name)
            whole = isinstance(value, Integral) and not isinstance(value, bool)
            if not ((value is None and name == "max_questions") or (whole and value >= 1)):
                raise ValueError(f"{name}={value!r} must be a whole number of at least 1")
        for name in ("max_body_mb", "max_held_mb", "timeout", "grace"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and 0 < float(value) < math.inf):
                raise ValueError(f"{name}={value!r} must be a number above 0")
        if self.max_held_mb < self.max_body_mb:
            raise ValueError(
                f"max_held_mb={self.max_held_mb:g} is less than one request may have "
                f"(max_body_mb={self.max_body_mb:g}): raise it"
            )
        if not self.model_name.strip() or not self.model_name.isprintable():
            raise ValueError(f"model_name={self.model_name!r} is no name that requests can say")
        if self.api_key is not None and not self.api_key.strip():
            raise ValueError("the API key is empty: set one, or serve without")

    @property
    def max_body(self) -> int:
        """Bytes."""
        return int(self.max_body_mb * 1e6)

    @property
    def max_held(self) -> int:
        """Bytes."""
        return int(self.max_held_mb * 1e6)
