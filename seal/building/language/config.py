"""Which language model writes, and how it is asked."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seal.building.language.templates import Template, TemplateWriter
from seal.building.language.usage import ReportingModel
from seal.endpoint.address import check_address
from seal.endpoint.cache import AnswerCache
from seal.files.cache_folder import cache_folder

KINDS = ("templates", "openai", "local")


@dataclass(kw_only=True, slots=True)
class LanguageConfig:
    """`language.*` of a builder. The key of an endpoint is in the environment, never in here."""

    kind: str = "templates"  # templates | openai: any compatible endpoint | local: transformers
    model: str = ""  # the endpoint's name for it; local: a folder or hub id
    base_url: str | None = None  # http://host:port/v1; None: OpenAI's own
    api_key_env: str = "OPENAI_API_KEY"  # the variable that holds the key
    temperature: float | None = 0.7  # openai; None: not sent, for models that refuse it
    max_tokens: int = 200  # of an answer
    concurrency: int = 32  # openai: requests in flight
    attempts: int = 6  # requests, or draws, for one prompt before it is given up
    timeout: float = 120.0  # seconds for one request
    backoff: float = 1.0  # seconds before the first repetition; doubled for each further one
    cache: str | None = None  # file of answers; None: $SEAL_CACHE/language.sqlite
    price_in: float | None = None  # per million prompt tokens, for the cost at the end
    price_out: float | None = None  # per million answer tokens
    device: str = "cpu"  # local
    dtype: str = "float32"  # local: float32 | bfloat16 | float16
    batch_size: int = 16  # local: prompts answered together
    seed: int = 0  # templates

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"language.kind={self.kind!r} is none of {', '.join(KINDS)}")
        if self.kind != "templates" and not self.model:
            raise ValueError(f"language.kind={self.kind} needs language.model=")
        if self.dtype not in ("float32", "bfloat16", "float16"):
            raise ValueError(f"language.dtype={self.dtype!r} is none of float32, bfloat16, float16")
        for name, least in (
            ("max_tokens", 1),
            ("concurrency", 1),
            ("attempts", 1),
            ("batch_size", 1),
            ("backoff", 0),
            ("temperature", 0),
            ("price_in", 0),
            ("price_out", 0),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if value is not None and not (least <= value < math.inf):
                raise ValueError(f"language.{name}={value} must be at least {least}")
        if not 0 < self.timeout < math.inf:
            raise ValueError(f"language.timeout={self.timeout} must be positive seconds")
        if (self.price_in is None) != (self.price_out is None):
            raise ValueError("language.price_in and language.price_out go together")
        if self.base_url is not None:
            check_address("language.base_url", self.base_url, "language.api_key_env")

    @property
    def cache_path(self) -> Path:
        return Path(self.cache) if self.cache else cache_folder() / "language.sqlite"

    def build(self, templates: Mapping[str, Template]) -> ReportingModel:
        """`templates` by `Prompt.task`; only `kind=templates` reads them.

        Raises:
            ValueError: an endpoint needs a key and the environment has none.
        """
        if self.kind == "templates":
            return TemplateWriter(templates, self.seed, self.attempts)
        cache = AnswerCache(self.cache_path)
        # Imported here: both clients take seconds to load, and templates need neither.
        if self.kind == "local":
            from seal.building.language.local import LocalWriter

            return LocalWriter(
                self.model,
                cache,
                device=self.device,
                dtype=self.dtype,
                batch_size=self.batch_size,
                max_tokens=self.max_tokens,
                attempts=self.attempts,
            )
        key = os.environ.get(self.api_key_env, "").strip()
        if not key and self.base_url is None:
            raise ValueError(
                f"language.kind=openai needs a key in the environment variable {self.api_key_env}; "
                "set it, or name a server of your own with language.base_url="
            )
        from seal.building.language.endpoint import EndpointWriter
        from seal.endpoint.client import Endpoint

        endpoint = Endpoint(
            self.model,
            key=key,
            key_name=self.api_key_env,
            base_url=self.base_url,
            concurrency=self.concurrency,
            attempts=self.attempts,
            timeout=self.timeout,
            backoff=self.backoff,
            advice="language.model, language.base_url",
        )
        return EndpointWriter(
            endpoint,
            cache,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            prices=(self.price_in, self.price_out),
        )
