"""What another system's file says about one question, before it is known to be a question of ours.

Readers of files make `Said`; `seal.evaluation.recorded.resolve` finds the question that each means
and refuses what contradicts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from seal.evaluation.task import TaskQuestion


@dataclass(frozen=True, kw_only=True, slots=True)
class Hints:
    """What a row tells besides the answer: to find its question, and to check that it is that one.

    Everything here is compared with the benchmark; what disagrees is an error of the row.
    """

    names: tuple[str, ...] = ()  # other names of the question: its image, the number in its file
    number: int | None = None  # the question's place in the benchmark's order, from 0
    question: str | None = None  # its words
    prompt: str | None = None  # all that was put to the system
    options: tuple[str, ...] = ()  # as they were shown
    true_first: bool = False  # places are counted with the true option at 0, whatever was shown
    truth: str | None = None  # the letter shown, or the words, of the right option
    # Whether the text stands where benchmarks have the right answer, beside the question.
    may_be_truth: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """One system's answer to one question. Neither a text nor losses: it gave none (invalid)."""

    where: str  # file and row, for messages
    id: str  # what the file calls the question
    text: str | None = None
    losses: tuple[float, ...] | None = None  # of the options as shown; NaN where there was none
    order: tuple[int, ...] | None = None  # the option of the benchmark at each place shown
    system: str = ""  # "": the file names none
    chosen: int | None = None  # the place of the option that the other program took it for
    more: Mapping[str, Any] = field(default_factory=dict)  # kept beside the answer
    hints: Hints = Hints()


# What a benchmark's own reader finds: its questions (those given, or those that the file itself
# holds), and what was said to them.
Recorded: TypeAlias = tuple[list[TaskQuestion], list[Said]]
