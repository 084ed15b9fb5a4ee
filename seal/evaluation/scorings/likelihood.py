"""Options chosen by the likelihood of their words: the original's protocol, and our default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from seal.evaluation.judging import Choice
from seal.evaluation.scorings.scoring import Wording
from seal.evaluation.task import TaskQuestion


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The option of the lowest mean loss, wherever it stands; ties and losses that are not finite
    choose nothing.

    `as_released` is the same with every quirk of the released code in what the model is shown
    (`protocol=as_released`). What the released code makes of ties, the option listed first, which
    is the true one, stands beside the accuracy as `accuracy_ties_first`.
    """

    name: str = "likelihood"
    reads: Literal["losses", "text"] = "losses"
    max_new_tokens: int = 1

    def wordings(self, question: TaskQuestion, seed: int) -> list[Wording]:
        return []

    def choose(self, question: TaskQuestion, text: str, order: Sequence[int]) -> Choice:
        raise AssertionError("losses are compared; no text is read")
