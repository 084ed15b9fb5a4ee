"""Options as VLMEvalKit puts them, for V*Bench too, and how it reads an answer without a judge.

From open-compass/VLMEvalKit (August 2026): `ImageMCQDataset.build_prompt` in
vlmeval/dataset/image_mcq.py, `can_infer` in vlmeval/utils/matching_util.py. What these rules cannot
read goes to a judge there; without one it is wrong, and after three answers of the judge that
cannot be read either, an option is drawn at random. Here it is not read, and nothing is drawn.
How long an answer may be is left to each model there (LLaVA's wrapper: 2048 tokens).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from seal.evaluation.judging import Choice
from seal.evaluation.scorings.file_order import file_order
from seal.evaluation.scorings.scoring import Reads, Wording
from seal.evaluation.task import TaskQuestion
from seal.inference.answers.protocol import MAX_ANSWER_TOKENS
from seal.text.letters import LETTERS

REQUEST = "Please select the correct answer from the options above. "
REFUSED = "Z"  # what VLMEvalKit calls the choice of an answer that chooses nothing
BLANKED = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
FAILED = "Failed to obtain answer via API"
REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
_LAST = 4  # words; a letter that comes first before them may be an article
_ANSWER_IS = re.compile(r"answer\s+is\s+\**([ABCD])\**", re.IGNORECASE)
_LONG = 2  # times all options: in a longer answer their words are not looked for


def vlmevalkit_prompt(text: str, options: Sequence[str], hint: str | None = None) -> str:
    """The question with its options, in the order shown; the blank at the end is theirs."""
    lines = [] if hint is None else [f"Hint: {hint}"]
    lines += [f"Question: {text}", "Options:"]
    lines += [f"{LETTERS[place]}. {option}" for place, option in enumerate(options)]
    return "\n".join([*lines, REQUEST]) + "\n"


def bare_text(question: TaskQuestion) -> str:
    """The question without its hint, which MMBench's holds in its text as well."""
    text = question.meta.get("question")
    return text if isinstance(text, str) and question.meta.get("hint") else question.text


def vlmevalkit_letter(text: str, options: Sequence[str]) -> str | None:
    """The letter read in an answer to `options`, in the order shown.

    By the letter if exactly one of them is a word of the answer, its first place among the last
    four words; else behind "answer is"; else the only option whose text the answer contains.

    Returns:
        A letter of an option, `REFUSED`, or None where a judge would be asked.
    """
    return _by_letter(text, LETTERS[: len(options)]) or _by_text(text, options)


@dataclass(frozen=True, slots=True)
class VLMEvalKit:
    """`letter_vlmevalkit`: the options in the order of `file_order`, read without a judge.

    What would go to a judge is invalid, and so is a refusal; VLMEvalKit counts both as wrong.
    """

    name: str = "letter_vlmevalkit"
    reads: Reads = "text"
    max_new_tokens: int = MAX_ANSWER_TOKENS

    def wordings(self, question: TaskQuestion, seed: int) -> list[Wording]:
        order = file_order(question, seed)
        shown = [question.options[i] for i in order]
        hint = question.meta.get("hint")
        return [Wording(vlmevalkit_prompt(bare_text(question), shown, hint), order)]

    def choose(self, question: TaskQuestion, text: str, order: Sequence[int]) -> Choice:
        letter = vlmevalkit_letter(text, [question.options[i] for i in order])
        if letter is None or letter == REFUSED:
            return Choice(None, invalid=True)
        return Choice(order[LETTERS.index(letter)])


def _by_letter(text: str, letters: str) -> str | None:
    if FAILED in text:
        return None
    if any(refusal in text for refusal in REFUSALS):
        return REFUSED
    words = text.translate(BLANKED).split()
    named = [letter for letter in letters if letter in words]
    if len(named) == 1 and words.index(named[0]) >= len(words) - _LAST:
        return named[0]
    if not named and REFUSED in words:
        return REFUSED
    found = _ANSWER_IS.search(text)
    letter = found.group(1).upper() if found else ""
    return letter if letter and letter in letters else None


def _by_text(text: str, options: Sequence[str]) -> str | None:
    said = text.lower()
    if len(said) > _LONG * sum(map(len, options)):
        return None
    inside = [i for i, option in enumerate(options) if option.lower() in said]
    return LETTERS[inside[0]] if len(inside) == 1 else None
