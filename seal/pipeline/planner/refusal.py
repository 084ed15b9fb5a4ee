"""`planner=seal`: the VQA LLM answers, or refuses and lists what it lacks (paper section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from seal.inference.answers.protocol import MAX_ANSWER_TOKENS, AnswerModel
from seal.pipeline.planner.plan import Plan, searchable
from seal.text.prompts import parse_missing
from seal.working_memory import VisualWorkingMemory


class RefusalPlanner:
    """Reads the plan off the first answer; any answer but a refusal is one the model is sure of."""

    name = "seal"
    answers_first = True

    def __init__(self, answer_model: AnswerModel) -> None:
        self.answer_model = answer_model

    def plan(self, memories: Sequence[VisualWorkingMemory]) -> list[Plan]:
        first = self.answer_model.generate(memories, max_new_tokens=MAX_ANSWER_TOKENS)
        return [_read(said.text) for said in first]


def _read(text: str) -> Plan:
    missing = parse_missing(text)
    targets, unsearchable = searchable(missing or ())
    return Plan(
        by="seal",
        targets=targets,
        unsearchable=unsearchable,
        sure=missing is None,
        first_text=text,
    )
