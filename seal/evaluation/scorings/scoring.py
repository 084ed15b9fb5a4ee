"""What a scoring is: the wordings a question is put in, and how a text names an option."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from seal.evaluation.judging import Choice
from seal.evaluation.task import TaskQuestion

Reads = Literal["losses", "text"]


@dataclass(frozen=True, slots=True)
class Wording:
    """One way a question is put, once the search is over."""

    text: str
    order: tuple[int, ...] = ()  # which option stands at each place; () where none are listed


class Scoring(Protocol):
    """One named way to put questions and to read answers. It knows no model and no truth."""

    @property
    def name(self) -> str: ...

    @property
    def reads(self) -> Reads:
        """The losses of the options, or what was said."""
        ...

    @property
    def max_new_tokens(self) -> int:
        """Of what is said."""
        ...

    def wordings(self, question: TaskQuestion, seed: int) -> list[Wording]:
        """Each is answered by itself, behind one search; [] where losses are read."""
        ...

    def choose(self, question: TaskQuestion, text: str, order: Sequence[int]) -> Choice:
        """The option that an answer to one wording names; of questions with options."""
        ...
