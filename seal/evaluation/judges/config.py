"""Which server judges, and how it is asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from seal.endpoint.address import check_address, is_endpoint, split_address
from seal.endpoint.named import endpoint_key
from seal.files.cache_folder import cache_folder
from seal.text.quote import quoted

KEY_OPTION = "judge_api_key_env"
EXAMPLES = (
    "judge=http://HOST:PORT/v1#MODEL (any OpenAI-compatible server), or "
    "judge=https://api.openai.com/v1#gpt-4.1 with the key in OPENAI_API_KEY"
)


@dataclass(kw_only=True, slots=True)
class JudgeConfig:
    """`judging.*` of a program. The key is in the environment, never in here."""

    temperature: float | None = 0.0  # None: not sent, for models that refuse it
    max_tokens: int = 200  # of a reply, thoughts included; one that is cut holds no grade
    concurrency: int = 16  # requests in flight
    attempts: int = 6  # requests for one reply before the question is left ungraded
    timeout: float = 120.0  # seconds for one request
    backoff: float = 1.0  # seconds before the first repetition; doubled for each further one
    cache: str | None = None  # file of replies; None: $SEAL_CACHE/judge.sqlite; none: not kept

    def __post_init__(self) -> None:
        for name, least in (
            ("temperature", 0), ("max_tokens", 1), ("concurrency", 1), ("attempts", 1),
            ("backoff", 0),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not (least <= value < math.inf):
                raise ValueError(f"judging.{name}={value} must be at least {least}")
        if not 0 < self.timeout < math.inf:
            raise ValueError(f"judging.timeout={self.timeout} must be positive seconds")

    @property
    def cache_path(self) -> Path | None:
        """None: nothing is kept."""
        if self.cache is None:
            return cache_folder() / "judge.sqlite"
        return None if self.cache == "none" else Path(self.cache)


def check_judge(judge: str | None, key_name: str) -> str:
    """The address of the judge, once it is clear that it can be asked.

    Raises:
        ValueError: none is named, it is no address, or it needs a key that is not there.
    """
    if not judge:
        raise ValueError(f"answers are graded by a judge, and none is named: set {EXAMPLES}")
    base_url, _ = split_address(judge)
    if not is_endpoint(base_url):
        raise ValueError(f"judge={quoted(judge)} is no address of a server: set {EXAMPLES}")
    check_address("judge", base_url, KEY_OPTION)
    endpoint_key(base_url, key_name, KEY_OPTION)
    return judge
