"""ZoomBench as its code puts it: the question of the file, which lists its options itself.

mm-eval/ of inclusionAI/Zooming-without-Zooming (infer_without_tool.py, judge_qwenlm.py): what is
judged is what stands within <answer>, else behind "Answer:", else the last three lines. There a
language model then compares it with the truth; here the letter in it is read by the rules of
`letter`, and only open questions go to a judge.
"""

from __future__ import annotations

from collections.abc import Sequence

from seal.evaluation.judging import by_letter
from seal.evaluation.scorings.own_letters import OwnLetters
from seal.evaluation.task import TaskQuestion
from seal.text.letters import LETTERS

_OPEN, _CLOSE, _MARK = "<answer>", "</answer>", "Answer:"
_LAST_LINES = 3


def put(question: TaskQuestion) -> str:
    """As it stands in the file."""
    return str(question.meta.get("query", question.text))


def extracted(text: str) -> str:
    """The part of an answer that is judged."""
    if _OPEN in text:
        return text.partition(_OPEN)[2].partition(_CLOSE)[0].strip()
    if _MARK in text:
        return text.partition(_MARK)[2].strip()
    return "\n".join(text.strip().split("\n")[-_LAST_LINES:]).strip()


def letter(text: str, options: Sequence[str]) -> str | None:
    choice = by_letter(extracted(text), options, range(len(options)))
    return None if choice.option is None else LETTERS[choice.option]


AS_ASKED_ZOOM_BENCH = OwnLetters("as_asked_zoom_bench", put, letter)
