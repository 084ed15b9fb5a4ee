"""What the pipeline and the evaluation ask of an answer model: lists in, lists out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

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

    calls: float = 0  # prompts put to it; options of one question share a call
    options_scored: float = 0
    tokens_read: float = 0  # of prompts and options, visual ones included
    tokens_written: float = 0
    images: float = 0  # shown, crops included
    pixels: float = 0  # of those images, as the model was given them after its own resizing
    visual_tokens: float = 0  # of `tokens_read`, those that stand for images

    def __sub__(self, before: Cost) -> Cost:
        return Cost(*(getattr(self, f.name) - getattr(before, f.name) for f in fields(Cost)))

    def __add__(self, more: Cost) -> Cost:
        return Cost(*(getattr(self, f.name) + getattr(more, f.name) for f in fields(Cost)))

    def add(self, more: Cost) -> None:
        """Add to this one."""
        for part in fields(Cost):
            setattr(self, part.name, getattr(self, part.name) + getattr(more, part.name))

    def share(self, of: int) -> Cost:
        """Of one of several that shared every pass."""
        return Cost(*(getattr(self, f.name) / of for f in fields(Cost)))


class Owned(Protocol):
    """What is asked for somebody: a visual working memory, a request to a locator."""

    @property
    def asked_for(self) -> Hashable | None: ...


@dataclass(slots=True)
class Account:
    """What an answer model has done, in all and for each of those that it was done for."""

    total: Cost = field(default_factory=Cost)
    # By `asked_for` of what was asked; what nobody is named for is in the total alone.
    by_owner: dict[Hashable, Cost] = field(default_factory=dict)

    def charge(self, asked: Owned, cost: Cost) -> None:
        """Add what was done for one memory or request."""
        self.total.add(cost)
        self.owe(asked, cost)

    def owe(self, asked: Owned, cost: Cost) -> None:
        """Name the owner of what the total has already."""
        if asked.asked_for is not None:
            self.by_owner.setdefault(asked.asked_for, Cost()).add(cost)


class AnswerModel(Protocol):
    """A request pairs what is in the visual working memory with a continuation.

    A model may keep an `account`: then each question is charged what was done for it, where it
    else gets its share of what was done for all that were put together. One that tells how many of
    the tokens it reads are visual has `counts_visual_tokens = True`.
    """

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

    def prompt(self, memory: VisualWorkingMemory) -> str:
        """What the model is put, as text; pictures by their placeholders."""
        ...

    def settings(self) -> dict[str, Any]:
        """What belongs beside every result: which model, in which precision, shown what."""
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
