"""What the pipeline and the evaluation ask of an answer model: lists in, lists out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from seal.working_memory import VisualWorkingMemory


@dataclass(frozen=True, slots=True)
class Generation:
    """A free-form answer."""

    text: str  # decoded, stripped
    num_tokens: int  # generated, the end of sequence included
    finished: bool  # False: cut at the limit


class AnswerModel(Protocol):
    """A request pairs what is in the visual working memory with a continuation."""

    def loglikelihood(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        """Mean cross-entropy of each option (its end of sequence included); lowest is best."""
        ...

    def generate(
        self, requests: Sequence[VisualWorkingMemory], *, max_new_tokens: int = 200
    ) -> list[Generation]:
        """Greedy answers; batched equals one by one."""
        ...

    def fits(
        self,
        memory: VisualWorkingMemory,
        options: Sequence[str] = (),
        *,
        max_new_tokens: int = 200,
    ) -> bool:
        """Whether the context holds the memory and an option, or `max_new_tokens` without any."""
        ...
