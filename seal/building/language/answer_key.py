"""What the cache knows the answer to a prompt by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seal.building.language.unwritten_records import Prompt
from seal.endpoint.cache import content_key


def answer_key(prompt: Prompt, settings: Mapping[str, Any]) -> str:
    """Both texts of the prompt and all that the model depends on."""
    return content_key([prompt.system, prompt.user, dict(settings)])
