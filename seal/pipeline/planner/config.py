"""Which planner, and its settings."""

from __future__ import annotations

from dataclasses import dataclass

from seal.inference.answers.protocol import AnswerModel
from seal.pipeline.planner.ask import AskPlanner
from seal.pipeline.planner.given import GivenPlanner
from seal.pipeline.planner.noun_phrases import NounPhrasePlanner
from seal.pipeline.planner.plan import Planner
from seal.pipeline.planner.refusal import RefusalPlanner
from seal.text.quote import quoted

PLANNERS = ("seal", "ask", "noun_phrases", "given")


@dataclass(kw_only=True, slots=True)
class PlannerConfig:
    """Who says what to search for (`planner=`)."""

    name: str | None = None  # of `PLANNERS`; None: as the answer model was trained
    sure_above: float = 0.8  # ask: from this confidence on, the first answer is kept
    min_mass: float = 0.01  # ask: Yes and No together are at least this likely, or it is asked in
    # words: beside a model that begins otherwise, the ratio of two specks would pass for confidence
    max_targets: int = 4  # ask, noun_phrases: searched for; a refusal's list is never cut
    max_new_tokens: int = 128  # ask: of each answer; a model that thinks aloud needs many more

    def __post_init__(self) -> None:
        if self.name is not None and self.name not in PLANNERS:
            raise ValueError(f"planner={quoted(self.name)} is none of {', '.join(PLANNERS)}")
        for key in ("sure_above", "min_mass"):
            value = getattr(self, key)
            if not 0 <= value <= 1:
                raise ValueError(f"planner: {key}={value} is no probability: give one from 0 to 1")
        for key in ("max_targets", "max_new_tokens"):
            value = getattr(self, key)
            if value < 1:
                raise ValueError(
                    f"planner: {key}={value} leaves nothing to plan with: give 1 or more"
                )

    def build(self, answer_model: AnswerModel) -> Planner:
        """The planner; only `seal` and `ask` put questions to the model."""
        name = self.name or default_planner(answer_model)
        if name == "seal":
            return RefusalPlanner(answer_model)
        if name == "given":
            return GivenPlanner()
        nouns = NounPhrasePlanner(self.max_targets)
        if name == "noun_phrases":
            return nouns
        return AskPlanner(
            answer_model,
            nouns,
            sure_above=self.sure_above,
            min_mass=self.min_mass,
            max_targets=self.max_targets,
            max_new_tokens=self.max_new_tokens,
        )


def default_planner(answer_model: AnswerModel) -> str:
    """`seal` for a model that was taught to refuse and list what it lacks, `ask` for any other."""
    return "seal" if getattr(answer_model, "names_missing", False) else "ask"
