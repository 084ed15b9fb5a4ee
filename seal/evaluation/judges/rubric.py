"""What a judge is told of an answer, and how its grade is read: what every rubric is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from seal.evaluation.task import TaskQuestion

# A number, or [of the reference, of the answer] where both are graded.
Score: TypeAlias = float | list[float]


@dataclass(frozen=True, slots=True)
class JudgePrompt:
    """One request, in our own words: grades are comparable with those of the same version."""

    system: str
    user: str
    again: str  # said to a reply that held no grade


class Rubric(Protocol):
    """How the answers of one benchmark are graded."""

    version: str  # "mm_vet/1"; changes whenever a word of the prompt or the reading does

    def prompt(self, question: TaskQuestion, said: str) -> JudgePrompt:
        """`said`: the answer, without thoughts.

        Raises:
            ValueError: the question lacks what the answer is compared with; it names the question.
        """
        ...

    def read(self, reply: str) -> Score | None:
        """The grade in a reply; None: it holds none, or several that differ."""
        ...
