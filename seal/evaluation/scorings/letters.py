"""Options as a lettered list, answered by a letter: in one seeded order, or in every rotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seal.evaluation.judging import Choice, by_letter, presented_order
from seal.evaluation.scorings.scoring import Wording
from seal.evaluation.task import TaskQuestion
from seal.inference.answers.protocol import MAX_ANSWER_TOKENS
from seal.text.letters import letter_question


@dataclass(frozen=True, slots=True)
class Letters:
    """The letter that is said, read back to the option that stood behind it.

    `letter_cyclic` puts every rotation of one seeded order, all of them behind one search, and
    credits the share of rotations that were answered rightly: each option stands at each letter
    once, so that whoever always says "A" earns 1 / (number of options).
    """

    name: str = "letter"
    cyclic: bool = False
    reads: Literal["losses", "text"] = "text"
    max_new_tokens: int = MAX_ANSWER_TOKENS

    def wordings(self, question: TaskQuestion, seed: int) -> list[Wording]:
        order = presented_order(len(question.options), question.id, seed)
        turns = len(order) if self.cyclic else 1
        orders = [tuple(order[turn:] + order[:turn]) for turn in range(turns)]
        return [Wording(letter_question(question.text, question.options, o), o) for o in orders]

    def choose(self, question: TaskQuestion, text: str, order: Sequence[int]) -> Choice:
        return by_letter(text, question.options, order)
