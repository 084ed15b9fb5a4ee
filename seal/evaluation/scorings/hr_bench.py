"""HR-Bench as lmms-eval puts it, and as its own code reads letters.

lmms_eval/tasks/hrbench of EvolvingLMMs-Lab/lmms-eval (utils.py, hrbench_evals.py); the reading is
that of hrbench/vlmeval/utils/matching_util.py of DreamMr/HR-Bench, grown from VLMEvalKit. What it
cannot read goes to a language model there; here it is invalid.
"""

from __future__ import annotations

from collections.abc import Sequence

from seal.evaluation.scorings.own_letters import OwnLetters, lettered_lines
from seal.evaluation.scorings.vlmevalkit import BLANKED, FAILED, REFUSALS, REFUSED
from seal.evaluation.task import TaskQuestion
from seal.text.letters import LETTERS

REQUEST = "Answer the option letter directly."


def put(question: TaskQuestion) -> str:
    """The question, its options A., B., ... and the request, each on a line."""
    return f"{question.text}\n{lettered_lines(question.options)}\n{REQUEST}"


def letter(text: str, options: Sequence[str]) -> str | None:
    """The only letter that is a word of the answer; else of the only option that is within it."""
    if any(refusal in text for refusal in (FAILED, *REFUSALS)):
        return None
    words = text.translate(BLANKED).split()
    named = [one for one in LETTERS[: len(options)] if one in words]
    if len(named) == 1:
        return named[0]
    if not named and REFUSED in words:
        return None
    inside = [i for i, option in enumerate(options) if option.lower() in text.lower()]
    return LETTERS[inside[0]] if len(inside) == 1 else None


LETTER_HR_BENCH = OwnLetters("letter_hr_bench", put, letter)
