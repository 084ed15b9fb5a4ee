"""Options as LLaVA-1.5 puts them, to MMBench, SEED-Bench and others: "A. red", one letter asked.

llava/eval/model_vqa_mmbench.py and the prompts in docs/Evaluation.md of haotian-liu/LLaVA;
lmms-eval puts SEED-Bench and MMBench so too. Their letters are compared as they are; here the
letter is read out of a longer answer as well, by the rules of `letter`.
"""

from __future__ import annotations

from collections.abc import Sequence

from seal.evaluation.judging import by_letter
from seal.evaluation.scorings.own_letters import OwnLetters, lettered_lines
from seal.evaluation.task import TaskQuestion
from seal.text.letters import LETTERS

REQUEST = "Answer with the option's letter from the given choices directly."
REQUEST_CN = "请直接回答选项字母。"


def put(question: TaskQuestion) -> str:
    """The question, its options and the request, each on a line."""
    return f"{question.text}\n{lettered_lines(question.options)}\n{REQUEST}"


def put_cn(question: TaskQuestion) -> str:
    """The same with the request in Chinese."""
    return f"{question.text}\n{lettered_lines(question.options)}\n{REQUEST_CN}"


def letter(text: str, options: Sequence[str]) -> str | None:
    choice = by_letter(text, options, range(len(options)))
    return None if choice.option is None else LETTERS[choice.option]


LETTER_LLAVA = OwnLetters("letter_llava", put, letter)
LETTER_LLAVA_CN = OwnLetters("letter_llava_cn", put_cn, letter)
