"""What the pipeline and the evaluation ask of an answer model: lists in, lists out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol

from seal.working_memory import VisualWorkingMemory

MAX_ANSWER_TOKENS = 200  # of a free-form answer


@dataclass(frozen=True, slots=True)
class Generation:
    """A free-form answer."""

    text: str  # decoded, stripped
    num_tokens: int  # generated, the end of sequence included
    finished: bool  # False: cut at the limit


@dataclass(slots=True)
class Cost:
    """What an answer model has done so far."""

    calls: int = 0  # prompts put to it; options of one question share a call
    options_scored: int = 0
    tokens_read: int = 0  # of prompts and options, visual ones included
    tokens_written: int = 0
    images: int = 0  # shown, crops included
    pixels: int = 0  # of those images, as the model was given them after its own resizing

    def __sub__(self, before: Cost) -> Cost:
        return Cost(*(getattr(self, f.name) - getattr(before, f.name) for f in fields(Cost)))


class AnswerModel(Protocol):
    """A request pairs what is in the visual working memory with a continuation."""

    @property
    def cost(self) -> Cost: ...

    def loglikelihood(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        """Mean cross-entropy of each option (its end of sequence included); lowest is best."""
        ...

    def next_word(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        """How unlikely it is that the answer begins with each word ("A", "Yes"): -log p of its
        first token; infinity where the model does not tell. Lowest is best.

        Raises:
            ValueError: two words begin with the same token.
        """
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
