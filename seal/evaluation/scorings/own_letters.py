"""Letters as a benchmark asks for them: its options in its order, its request, its reading."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from seal.evaluation.judging import Choice
from seal.evaluation.scorings.scoring import Wording
from seal.evaluation.task import TaskQuestion
from seal.inference.answers.protocol import MAX_ANSWER_TOKENS
from seal.text.letters import LETTERS


@dataclass(frozen=True, slots=True)
class OwnLetters:
    """What a benchmark's own code shows and reads."""

    name: str
    put: Callable[[TaskQuestion], str]  # the question, its options and the request
    # (what was said, the options as shown) -> a letter; None: the rules read none.
    letter: Callable[[str, Sequence[str]], str | None]
    reads: Literal["losses", "text"] = "text"
    max_new_tokens: int = MAX_ANSWER_TOKENS

    def wordings(self, question: TaskQuestion, seed: int) -> list[Wording]:
        """One, in the order of the file, which is part of such a benchmark."""
        return [Wording(self.put(question), tuple(range(len(question.options))))]

    def choose(self, question: TaskQuestion, text: str, order: Sequence[int]) -> Choice:
        shown = list(order or range(len(question.options)))
        letter = self.letter(text, [question.options[i] for i in shown])
        place = -1 if letter is None else LETTERS.find(letter)
        return Choice(shown[place]) if 0 <= place < len(shown) else Choice(None, invalid=True)


def lettered_lines(options: Sequence[str], form: str = "{}. {}") -> str:
    """The options as "A. red", each on a line of its own; nothing behind the last."""
    return "\n".join(form.format(LETTERS[i], option) for i, option in enumerate(options))
