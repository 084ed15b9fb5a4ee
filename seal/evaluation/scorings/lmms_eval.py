"""V*Bench as lmms-eval puts it: how its task writes the options, and how it reads a letter.

From EvolvingLMMs-Lab/lmms-eval, lmms_eval/tasks/vstar_bench (utils.py, _default_template_yaml) of
version 0.7: the task takes the options out of the file's text and lists them anew. The request for
a letter stands behind the last option of the text, stays glued to it, and is then added again, so
it comes twice. Greedy, 16 new tokens.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from seal.evaluation.judging import Choice
from seal.evaluation.scorings.file_order import file_order
from seal.evaluation.scorings.scoring import Reads, Wording
from seal.evaluation.task import TaskQuestion
from seal.text.letters import LETTERS

MAX_NEW_TOKENS = 16
NUM_LETTERS = 4  # the task lists and reads A to D only
REQUEST = "Answer with the option's letter from the given choices directly."
# In this order, in the upper-cased answer. The first takes any answer that begins with one of the
# letters ("Cotton" is C), the fourth any word that ends in one before a full stop ("red." is D).
_READ = tuple(
    re.compile(pattern)
    for pattern in (
        r"^([A-D])",
        r"(?:ANSWER|CHOICE|OPTION)(?:\s+IS)?[\s:]+([A-D])",
        r"\(([A-D])\)",
        r"([A-D])\s*[.)\]]",
        r"(?:^|\s)([A-D])(?:\s|$)",
    )
)


def lmms_eval_prompt(text: str, options: Sequence[str]) -> str:
    """The question with its options as the task lists them, `options` in the order shown.

    The task loses an option that holds a parenthesis, and the letters behind it then move up. None
    of the benchmark's does; here such an option is kept.

    Raises:
        ValueError: there are more options than the task has letters.
    """
    if len(options) > NUM_LETTERS:
        raise ValueError(
            f"lmms-eval's V*Bench lists {NUM_LETTERS} options, not {len(options)}: choose another "
            "scoring"
        )
    lines = [f"{LETTERS[place]}. {option.strip()}" for place, option in enumerate(options)]
    return "\n".join([text.strip(), *lines, REQUEST, REQUEST])


def lmms_eval_letter(text: str) -> str | None:
    """The letter the task reads in an answer: by the first pattern that fits, else the only one.

    None: there is none, which the task counts as wrong.
    """
    said = text.strip().upper()
    for pattern in _READ:
        if found := pattern.search(said):
            return found.group(1)
    letters = re.findall(r"[A-D]", said)
    return letters[0] if len(letters) == 1 else None


@dataclass(frozen=True, slots=True)
class LmmsEval:
    """`letter_lmms_eval`: options in the order of `file_order`, the letter as the task reads it.

    A letter that no option has is invalid, as none at all is; the task counts both as wrong.
    """

    name: str = "letter_lmms_eval"
    reads: Reads = "text"
    max_new_tokens: int = MAX_NEW_TOKENS

    def wordings(self, question: TaskQuestion, seed: int) -> list[Wording]:
        order = file_order(question, seed)
        return [
            Wording(lmms_eval_prompt(question.text, [question.options[i] for i in order]), order)
        ]

    def choose(self, question: TaskQuestion, text: str, order: Sequence[int]) -> Choice:
        letter = lmms_eval_letter(text)
        if letter is None or LETTERS.index(letter) >= len(order):
            return Choice(None, invalid=True)
        return Choice(order[LETTERS.index(letter)])
