"""Sentences from templates: no network, the same ones for the same seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seal.building.language.unwritten_records import Check, Prompt

# A prompt's facts to an answer, drawn with the generator.
Template = Callable[[dict[str, Any], np.random.Generator], str]


class TemplateWriter:
    """Writes what its builder's templates say; each draw depends on the seed and its prompt."""

    def __init__(self, templates: Mapping[str, Template], seed: int, attempts: int) -> None:
        self.templates = dict(templates)  # by `Prompt.task`
        self.seed = seed
        self.attempts = attempts

    def settings(self) -> dict[str, Any]:
        return {"kind": "templates", "seed": self.seed, "attempts": self.attempts}

    def report(self) -> dict[str, Any]:
        return {}

    def write(self, prompts: Sequence[Prompt], check: Check) -> list[str | None]:
        return [self._answer(place, prompt, check) for place, prompt in enumerate(prompts)]

    def _answer(self, place: int, prompt: Prompt, check: Check) -> str | None:
        if prompt.task not in self.templates:
            known = ", ".join(sorted(self.templates)) or "none"
            raise ValueError(
                f"no template writes {prompt.task!r} (there are: {known}); "
                "use language.kind=openai or local"
            )
        rng = prompt_generator(self.seed, prompt)
        for _ in range(self.attempts):
            answer = self.templates[prompt.task](prompt.facts, rng)
            try:
                check(place, answer)
            except ValueError:
                continue
            return answer
        return None


def prompt_generator(seed: int, prompt: Prompt) -> np.random.Generator:
    """Whatever is drawn for a prompt; another one for every seed, task and text."""
    text = "\0".join((str(seed), prompt.task, prompt.user))
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, dtype=np.uint32))
