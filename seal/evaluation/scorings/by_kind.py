"""Questions of both kinds in one file: a letter where there are options, a few words where not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from seal.evaluation.judging import Choice
from seal.evaluation.scorings.scoring import Scoring, Wording
from seal.evaluation.scorings.words import SHORT, Words
from seal.evaluation.task import TaskQuestion
from seal.inference.answers.protocol import MAX_ANSWER_TOKENS


@dataclass(frozen=True, slots=True)
class ByKind:
    """A scoring of letters for questions with options, `short_answer` for the others."""

    name: str
    letters: Scoring
    words: Words = field(default_factory=lambda: Words("short_answer", SHORT))
    reads: Literal["losses", "text"] = "text"
    max_new_tokens: int = MAX_ANSWER_TOKENS

    def wordings(self, question: TaskQuestion, seed: int) -> list[Wording]:
        part = self.letters if question.options else self.words
        return part.wordings(question, seed)

    def choose(self, question: TaskQuestion, text: str, order: Sequence[int]) -> Choice:
        return self.letters.choose(question, text, order)
