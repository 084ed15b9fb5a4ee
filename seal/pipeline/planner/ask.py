"""`planner=ask`: any chat model is asked whether the image is enough, and if not, what to see."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from seal.inference.answers.protocol import AnswerModel, Generation
from seal.pipeline.planner.noun_phrases import NounPhrasePlanner
from seal.pipeline.planner.plan import Exchange, Plan
from seal.text.target_list import parse_target_list
from seal.text.yes_no import parse_yes_no
from seal.working_memory import VisualWorkingMemory

YES_NO = ("Yes", "No")
CAN_ANSWER = (
    'Somebody asks about this picture: "{question}"\n'
    "Can you see everything that the answer depends on clearly enough in the picture as it is "
    "shown to you? Answer with one word, Yes or No."
)
LIST_OBJECTS = (
    'Somebody asks about this picture: "{question}"\n'
    "Which objects must be seen up close to answer? Give their short names as a JSON list of "
    "strings, at most {most}, and nothing else; give [] if there are none."
)


@dataclass(slots=True)
class _Draft:
    """A plan in the making."""

    memory: VisualWorkingMemory
    sure: bool | None = None  # None: not asked
    confidence: float | None = None
    said: list[Exchange] = field(default_factory=list)
    fallback: list[str] = field(default_factory=list)


Question = Callable[[_Draft], VisualWorkingMemory]


class AskPlanner:
    """Two short questions, put through the answer protocol like any other.

    The first is answered by the probability of Yes against No where the model tells it, else in
    words; the second, put only to a model that is not sure, by a list. What cannot be read as one
    is replaced by the noun phrases of the question, and the plan says so.
    """

    name = "ask"
    answers_first = False

    def __init__(
        self,
        answer_model: AnswerModel,
        nouns: NounPhrasePlanner,
        *,
        sure_above: float,
        min_mass: float,
        max_targets: int,
        max_new_tokens: int,
    ) -> None:
        """`PlannerConfig` says what the numbers are."""
        self.answer_model = answer_model
        self.nouns = nouns
        self.sure_above, self.min_mass = sure_above, min_mass
        self.max_targets, self.max_new_tokens = max_targets, max_new_tokens
        self._tells_words = True  # until the model says that it does not

    def plan(self, memories: Sequence[VisualWorkingMemory]) -> list[Plan]:
        drafts = [_Draft(memory) for memory in memories]
        self._ask_whether(drafts)
        listed = self._ask_which([draft for draft in drafts if draft.sure is False])
        return [self._finish(draft, listed.get(id(draft))) for draft in drafts]

    def _ask_whether(self, drafts: Sequence[_Draft]) -> None:
        """Fill in how sure each model is; None where the question has no room."""
        wordless = []
        for draft, losses in self._yes_no_losses(drafts):
            draft.confidence = (
                None if losses is None else confidence(losses[0], losses[1], self.min_mass)
            )
            if losses is None or draft.confidence is None:
                wordless.append(draft)
                continue
            draft.sure = draft.confidence >= self.sure_above
            word = YES_NO[0] if losses[0] <= losses[1] else YES_NO[1]
            draft.said.append(Exchange(self._whether(draft).question, word))
        for draft, said in self._generate(wordless, self._whether):
            can = parse_yes_no(said.text)
            draft.sure = can is True
            draft.said.append(Exchange(self._whether(draft).question, said.text))
            if can is None:
                draft.fallback.append("the model said neither Yes nor No: taken for No")

    def _yes_no_losses(self, drafts: Sequence[_Draft]) -> list[tuple[_Draft, list[float] | None]]:
        """-log p of Yes and of No, of those with room for the question; None: it does not tell."""
        while drafts and self._tells_words:
            try:
                losses = self.answer_model.next_word([(self._whether(d), YES_NO) for d in drafts])
            except ValueError:
                fitting = self._fitting(drafts, self._whether)
                # No probabilities of words are to be had there, today or later. If something else
                # is wrong with a request, that comes up when the words themselves are asked for.
                self._tells_words = len(fitting) < len(drafts)
                drafts = fitting
                continue
            return list(zip(drafts, losses, strict=True))
        return [(draft, None) for draft in drafts]

    def _ask_which(self, drafts: Sequence[_Draft]) -> dict[int, list[str] | None]:
        """What each model lists, by the identity of the draft."""
        listed = {}
        for draft, said in self._generate(drafts, self._which):
            draft.said.append(Exchange(self._which(draft).question, said.text))
            listed[id(draft)] = parse_target_list(
                said.text, max_targets=self.max_targets, finished=said.finished
            )
        return listed

    def _generate(
        self, drafts: Sequence[_Draft], question: Question
    ) -> list[tuple[_Draft, Generation]]:
        """Answers, of those with room for the question and an answer.

        Raises:
            ValueError: the model refuses a request, and not for its length.
        """
        while drafts:
            try:
                said = self.answer_model.generate(
                    [question(draft) for draft in drafts], max_new_tokens=self.max_new_tokens
                )
            except ValueError:
                fitting = self._fitting(drafts, question)
                if len(fitting) == len(drafts):
                    raise
                drafts = fitting
                continue
            return list(zip(drafts, said, strict=True))
        return []

    def _fitting(self, drafts: Sequence[_Draft], question: Question) -> list[_Draft]:
        """Asked only when something went wrong: behind an endpoint, every look costs a request."""
        fitting = []
        for draft in drafts:
            if self.answer_model.fits(question(draft), max_new_tokens=self.max_new_tokens):
                fitting.append(draft)
            else:
                draft.fallback.append("the model's context has no room for the planner's question")
        return fitting

    def _finish(self, draft: _Draft, listed: list[str] | None) -> Plan:
        plan = Plan(
            by=self.name,
            targets=tuple(listed or ()),
            sure=draft.sure,
            confidence=draft.confidence,
            said=tuple(draft.said),
            fallback="; ".join(draft.fallback),
        )
        if draft.sure or listed is not None:
            return plan
        (instead,) = self.nouns.plan([draft.memory])
        why = draft.fallback or ["what the model said is no list of objects"]
        return replace(
            plan,
            targets=instead.targets,
            unsearchable=instead.unsearchable,
            extractor=instead.extractor,
            fallback="; ".join(
                [*why, instead.fallback or "the question's noun phrases are searched for"]
            ),
        )

    def _whether(self, draft: _Draft) -> VisualWorkingMemory:
        question = CAN_ANSWER.format(question=draft.memory.question)
        return replace(draft.memory, question=question)

    def _which(self, draft: _Draft) -> VisualWorkingMemory:
        question = LIST_OBJECTS.format(question=draft.memory.question, most=self.max_targets)
        return replace(draft.memory, question=question)


def confidence(yes: float, no: float, min_mass: float) -> float | None:
    """Probability of Yes, given that it is Yes or No, from the two -log p; in [0, 1].

    None: the model does not tell (infinity for both), or begins with neither.
    """
    mass = math.exp(-yes) + math.exp(-no)
    if not mass > 0 or mass < min_mass:
        return None
    return math.exp(-yes) / mass
