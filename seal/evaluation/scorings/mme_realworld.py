"""MME-RealWorld and its Chinese part as their code puts them and reads letters; TreeBench too.

evaluation/ of yfzhang114/MME-RealWorld (README.md, eval_your_results.py); the list of phrases that
are cut away is VLMEvalKit's and lmms-eval's, since commas are missing from the original's, which
reads "Best option: C" as B, the first letter of "Best". TreeBench is put and read by VLMEvalKit's
`TreeBench` (vlmeval/dataset/image_mcq.py), with the same reading.

Two answers choose nothing here that count as an option there, for where it stands: an empty one,
and one that is part of several options without being one of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from seal.evaluation.scorings.own_letters import OwnLetters, lettered_lines
from seal.evaluation.task import TaskQuestion
from seal.text.letters import LETTERS

MAX_NEW_TOKENS = 16  # of lmms-eval's task
LISTED, LISTED_CN = "The choices are listed below:", "选项如下所示:"
REQUEST = (
    "Select the best answer to the above multiple-choice question based on the image. Respond with "
    "only the letter (A, B, C, D, or E) of the correct option. \nThe best answer is:"
)
REQUEST_CN = (
    "根据图像选择上述多项选择题的最佳答案。只需回答正确选项的字母（A, B, C, D 或 E）。\n"
    "最佳答案为："
)
TREE_REQUEST = "Answer with the correct option's letter directly. "
_CUT = (
    "The best answer is", "The correct answer is", "The answer is", "The answer",
    "The best option is", "The correct option is", "Best answer:", "Best option:",
)  # fmt: skip
_READ = "ABCDE"
_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


def put(question: TaskQuestion) -> str:
    return _put(question, LISTED, REQUEST)


def put_cn(question: TaskQuestion) -> str:
    return _put(question, LISTED_CN, REQUEST_CN)


def put_tree(question: TaskQuestion) -> str:
    """TreeBench's, with the blank and the line break that stand at its end."""
    listed = lettered_lines(question.options)
    return f"Question: {question.text}\nOptions:\n{listed}\n{TREE_REQUEST}\n"


def letter(text: str, options: Sequence[str]) -> str | None:
    """The first capital A to E behind the phrases that are cut away.

    Without one, the letter of the only option, "(A) " before it, that the answer is part of.
    """
    for phrase in _CUT:
        text = text.replace(phrase, "")
    text = text.strip()
    if found := re.search(f"[{_READ}]", text):
        return found[0]
    said = text.lower()
    if not said or len(said.split()) > 10:
        return None
    if len(bare := said.strip("(). ")) == 1 and bare in _READ.lower():
        return bare.upper()
    inside = [i for i, option in enumerate(options) if said in option.lower()]
    inside = [i for i in inside if options[i].lower() == said] or inside  # "7" is no "17"
    return LETTERS[inside[0]] if len(inside) == 1 else None


def tree_letter(text: str, options: Sequence[str]) -> str | None:
    """The same within <answer> and </answer>, if they are there, where case makes no difference."""
    found = _ANSWER.search(text)
    return letter(found[1].strip().upper() if found else text, options)


def _put(question: TaskQuestion, listed: str, request: str) -> str:
    return f"{question.text} {listed}\n{lettered_lines(question.options, '({}) {}')}\n{request}"


LETTER_MME_REALWORLD = OwnLetters(
    "letter_mme_realworld", put, letter, max_new_tokens=MAX_NEW_TOKENS
)
LETTER_MME_REALWORLD_CN = OwnLetters(
    "letter_mme_realworld_cn", put_cn, letter, max_new_tokens=MAX_NEW_TOKENS
)
LETTER_TREE_BENCH = OwnLetters("letter_tree_bench", put_tree, tree_letter)
