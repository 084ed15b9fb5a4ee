"""Questions answered in words: as they are, or with what a benchmark asks behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seal.evaluation.judging import Choice, by_words
from seal.evaluation.scorings.scoring import Wording
from seal.evaluation.task import TaskQuestion
from seal.inference.answers.protocol import MAX_ANSWER_TOKENS

YES_OR_NO = "Please answer yes or no."  # what MME's questions end with
UNANSWERABLE = "When the provided information is insufficient, respond with 'Unanswerable'."
SHORT = "Answer the question using a single word or phrase."  # as LLaVA-1.5 was trained to be asked


@dataclass(frozen=True, slots=True)
class Words:
    """What is said is the answer; of options it has to name one."""

    name: str
    request: str = ""  # stands behind the question
    between: str = "\n"
    reads: Literal["losses", "text"] = "text"
    max_new_tokens: int = MAX_ANSWER_TOKENS

    def wordings(self, question: TaskQuestion, seed: int) -> list[Wording]:
        return [Wording(self.between.join(filter(None, (question.text, self.request))))]

    def choose(self, question: TaskQuestion, text: str, order: Sequence[int]) -> Choice:
        return by_words(text, question.options)
