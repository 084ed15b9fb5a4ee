"""The three stages: show the image, search for what is missing, tell the answer."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeAlias

from PIL.Image import Image

from seal.geometry import Box
from seal.images import context_box
from seal.inference.answers.protocol import Account, AnswerModel, Cost
from seal.pipeline.answer import Answer
from seal.pipeline.events import OnEvent
from seal.pipeline.planner import Planner, PlannerConfig
from seal.pipeline.planner.plan import given_plan
from seal.pipeline.protocol import ProtocolConfig
from seal.pipeline.question import Question
from seal.pipeline.telling import Telling
from seal.search.locator import LocateRequest, Locator
from seal.search.result import SearchResult
from seal.text.letters import LETTERS, letter_question
from seal.working_memory import MemoryTarget, VisualWorkingMemory

Control: TypeAlias = Callable[[Question, VisualWorkingMemory], VisualWorkingMemory]


class ShowSearchTell:
    """Show, search and tell for many questions at a time, whatever answers and whatever locates."""

    def __init__(
        self,
        answer_model: AnswerModel,
        locator: Locator | None,
        protocol: ProtocolConfig,
        planner: Planner | None = None,
        control: Control | None = None,
    ) -> None:
        """`planner=None`: the one that suits the answer model.

        `control`: makes what is shown of what the search brought back, for the last answer.
        """
        self.answer_model = answer_model
        self.locator = locator
        self.protocol = protocol
        self.planner = planner or PlannerConfig().build(answer_model)
        self.control = control

    def __call__(
        self, questions: Sequence[Question], on_events: Sequence[OnEvent | None] = ()
    ) -> list[Answer]:
        """Answer the questions, in order; their searches advance side by side.

        `on_events`: of each question, what is told as it happens; () for none.
        """
        told = Telling(on_events)
        started, unspent = time.perf_counter(), replace(self.answer_model.cost)
        plain = [
            VisualWorkingMemory(question.text, _image(question), asked_for=i)
            for i, question in enumerate(questions)
        ]
        answers = [Answer("", "", memory=memory) for memory in plain]
        owned = getattr(self.answer_model, "account", Account()).by_owner
        owned.clear()
        self.show(questions, answers)
        for i, answer in enumerate(answers):
            told.planned(i, answer.plan)
        shown, planned = time.perf_counter(), replace(self.answer_model.cost)
        plans = {owner: replace(cost) for owner, cost in owned.items()}
        self._search(questions, answers, told)
        searched = time.perf_counter()
        self.tell(questions, answers)
        ended = time.perf_counter()
        spent = _each(self.answer_model.cost - unspent, owned, len(answers))
        planning = _each(planned - unspent, plans, len(answers))
        # Questions share every pass, so each is charged its part of the time.
        seconds = {
            name: seconds / len(answers)
            for name, seconds in (
                ("show", shown - started),
                ("search", searched - shown),
                ("tell", ended - searched),
            )
        }
        for answer, cost, plan in zip(answers, spent, planning, strict=True):
            self.account(answer, cost, plan, seconds)
        return answers

    def account(
        self, answer: Answer, spent: Cost, planning: Cost, seconds: Mapping[str, float]
    ) -> None:
        """Say who gave an answer, and what it has cost; `planning`: part of what was `spent`."""
        counted = getattr(self.answer_model, "counts_visual_tokens", False)
        unknown = () if counted else ("visual_tokens",)  # a server does not tell them apart
        answer.answered_by = self.answer_model.settings()
        answer.cost = _cost(answer.searches) | {
            "answer_model": _told(spent, unknown),
            "planner": _told(planning, unknown),
            "seconds": {name: round(value, 6) for name, value in seconds.items()},
        }

    def show(self, questions: Sequence[Question], answers: list[Answer]) -> None:
        """Plans, where they decide something: what to search for, or the free text."""
        asked = []
        for i, question in enumerate(questions):
            if question.targets is not None:
                answers[i].plan = given_plan(question.targets)
                continue
            searchable = self.locator is not None and question.image is not None
            free = not question.options and not question.final_texts
            if searchable or (free and self.planner.answers_first):
                asked.append(i)
        plans = self.planner.plan([_memory(answers[i]) for i in asked])
        for i, plan in zip(asked, plans, strict=True):
            answers[i].plan = plan
        for answer in answers:
            if answer.plan is not None:
                answer.first_text = answer.plan.first_text
                answer.missing = list(answer.plan.targets)
                answer.unsearchable = list(answer.plan.unsearchable)

    def _search(self, questions: Sequence[Question], answers: list[Answer], told: Telling) -> None:
        if self.locator is None:
            return
        requests: list[LocateRequest] = []
        owners: list[tuple[int, int]] = []  # question and place of the target
        for i, (question, answer) in enumerate(zip(questions, answers, strict=True)):
            wanted = self.wanted(question, answer)
            requests += wanted
            owners += [(i, place) for place in range(len(wanted))]
        results = told.locate(self.locator, requests, owners)
        for (i, _), result in zip(owners, results, strict=True):
            answers[i].searches.append(result)
        for answer in answers:
            self.remember(answer)

    def wanted(self, question: Question, answer: Answer) -> list[LocateRequest]:
        """What is to be searched for, once it is planned."""
        image = _image(question)
        if self.locator is None or image is None:
            return []
        names = answer.missing or self._nameless(question, answer)
        owner = _memory(answer).asked_for
        return [
            LocateRequest(image, name, question.text, len(names), question.budget, asked_for=owner)
            for name in names
        ]

    def remember(self, answer: Answer) -> None:
        """Fill the memory with what its searches brought back."""
        if answer.searches:
            targets = tuple(
                target
                for target in map(self._target, self._sought(answer))
                if target.name or target.boxes  # of what has no name, nothing can be said to lack
            )
            answer.memory = replace(_memory(answer), targets=targets)

    def _nameless(self, question: Question, answer: Answer) -> list[str]:
        """A request for whatever the question is about, from a locator that can read it.

        Not where the model can do without, nor where the caller wants nothing searched for.
        """
        by_question = getattr(self.locator, "by_question", False)
        sure = answer.plan is not None and answer.plan.sure
        return [""] if by_question and not sure and question.targets is None else []

    def _sought(self, answer: Answer) -> list[SearchResult]:
        """The searches with an outcome: of what the whole image settles, nothing is lacking, and
        of what a budget left unseen, nothing can be said.
        """
        use_best = self.protocol.on_not_found == "use_best_box"
        return [
            result
            for result in answer.searches
            if not result.settled
            and (
                result.found
                or result.stopped_early is None
                or (use_best and result.best_box is not None)
            )
        ]

    def _target(self, result: SearchResult) -> MemoryTarget:
        boxes = result.boxes
        use_best = self.protocol.on_not_found == "use_best_box"
        if not result.found and use_best and result.best_box is not None:
            boxes = [result.best_box]
        return MemoryTarget(
            result.target, tuple(_croppable(box, *result.image_size) for box in boxes)
        )

    def tell(self, questions: Sequence[Question], answers: list[Answer]) -> None:
        """Final answers: the likeliest option, or free text; none where a search failed."""
        sound = [i for i, answer in enumerate(answers) if answer.error is None]
        for question, answer in ((questions[i], answers[i]) for i in sound):
            if question.final_texts:
                answer.memory = replace(_memory(answer), question=question.final_texts[0])
            self._leave_out(question, answer)
            answer.memory = self._shown(question, _memory(answer))
        choosing = [i for i in sound if questions[i].options]
        by, put = self._put([(_memory(answers[i]), questions[i].options) for i in choosing])
        score = self.answer_model.loglikelihood
        if by == "letters":
            score = self.answer_model.next_word
        for i, (memory, _), losses in zip(choosing, put, score(put), strict=True):
            answers[i].chosen_by = by
            answers[i].levels_each = self._levels(memory)
            choose_likeliest(answers[i], questions[i].options, losses)
        # What the first answer said stands if nothing came to it since.
        speaking = []
        for i in sound:
            question = questions[i]
            if question.options:
                continue
            same = not question.final_texts and not _memory(answers[i]).targets
            if same and answers[i].first_text:
                answers[i].texts = [answers[i].first_text]
                answers[i].levels_each = self._levels(_memory(answers[i]))
            else:
                speaking.append(i)
        self._speak(questions, answers, speaking)
        for answer in answers:
            if answer.texts:
                answer.text = answer.texts[0]

    def _speak(
        self, questions: Sequence[Question], answers: list[Answer], speaking: Sequence[int]
    ) -> None:
        """An answer in words to each final wording; those of one length are put together."""
        for most in dict.fromkeys(questions[i].max_new_tokens for i in speaking):
            put = [
                (i, replace(_memory(answers[i]), question=text))
                for i in speaking
                if questions[i].max_new_tokens == most
                for text in (questions[i].final_texts or (_memory(answers[i]).question,))
            ]
            said = self.answer_model.generate([m for _, m in put], max_new_tokens=most)
            for (i, memory), generation in zip(put, said, strict=True):
                answers[i].finished &= generation.finished or bool(answers[i].texts)
                answers[i].texts.append(generation.text)
                answers[i].levels_each += self._levels(memory)

    def _levels(self, memory: VisualWorkingMemory) -> list[tuple[int, ...]]:
        """The levels at which the pictures of one prompt were read; [] of a model without such."""
        levels_of = getattr(self.answer_model, "levels_of", None)
        levels = () if levels_of is None else levels_of(memory)
        return [levels] if levels else []

    def _put(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> tuple[str, list[tuple[VisualWorkingMemory, Sequence[str]]]]:
        """How options are scored, and what is asked for that."""
        # A server's model tells how likely a letter is, not how likely given words are.
        able = getattr(self.answer_model, "scores_options", True)
        by = self.protocol.choosing or ("likelihood" if able else "letters")
        if by == "likelihood":
            return by, list(requests)
        return by, [
            (
                replace(memory, question=letter_question(memory.question, o, range(len(o)))),
                LETTERS[: len(o)],
            )
            for memory, o in requests
        ]

    def _leave_out(self, question: Question, answer: Answer) -> None:
        """Show only the surest instances if all of them are more than the VQA LLM can read.

        One of each target stays: none would say that it is not there.
        """
        shown = [list(target.boxes) for target in _memory(answer).targets]
        scores = [list(result.scores) for result in self._sought(answer)]
        while any(len(boxes) > 1 for boxes in shown) and not self._fits(question, answer):
            _, i, j = min(
                (score, i, -j)  # the later one, among equals
                for i, of in enumerate(scores)
                if len(shown[i]) > 1
                for j, score in enumerate(of)
            )
            del shown[i][-j], scores[i][-j]
            answer.left_out += 1
            targets = tuple(
                replace(target, boxes=tuple(boxes))
                for target, boxes in zip(_memory(answer).targets, shown, strict=True)
            )
            answer.memory = replace(_memory(answer), targets=targets)

    def _fits(self, question: Question, answer: Answer) -> bool:
        """Whether both can be read in every wording: what is shown, and what a control controls.

        So a control leaves out what the search it stands beside leaves out.
        """
        memory = _memory(answer)
        both = [memory] if self.control is None else [memory, self._shown(question, memory)]
        return all(
            self.answer_model.fits(
                replace(each, question=text),
                question.options,
                max_new_tokens=question.max_new_tokens,
            )
            for each in both
            for text in question.final_texts or (memory.question,)
        )

    def _shown(self, question: Question, memory: VisualWorkingMemory) -> VisualWorkingMemory:
        return memory if self.control is None else self.control(question, memory)


def _image(question: Question) -> Image | None:
    assert question.image is None or isinstance(question.image, Image)  # `Seal` opens the others
    return question.image


def _memory(answer: Answer) -> VisualWorkingMemory:
    assert answer.memory is not None
    return answer.memory


def choose_likeliest(answer: Answer, options: Sequence[str], losses: list[float]) -> None:
    """The lowest loss wins; a tie is told, never resolved by position."""
    answer.options, answer.losses = list(options), losses
    best = [i for i, loss in enumerate(losses) if loss == min(losses)]
    answer.option = best[0] if len(best) == 1 else None
    tied = "undecided: " if len(best) != 1 else ""
    answer.text = tied + " | ".join(options[i] for i in best)


def _croppable(box: Box, width: int, height: int) -> Box:
    """The box itself, unless it lies so far at the border that no pixel would be cropped."""
    left, top, right, bottom = context_box(box, width, height)
    if right > left and bottom > top:
        return box
    x0 = min(max(box.x0, 0.0), width - 1.0)
    y0 = min(max(box.y0, 0.0), height - 1.0)
    return Box(x0, y0, min(max(box.x1, x0 + 1), width), min(max(box.y1, y0 + 1), height))


def _cost(results: Sequence[SearchResult]) -> dict[str, Any]:
    calls: Counter[str] = Counter()
    for result in results:
        calls.update(result.calls)
    return {"visits": sum(len(result.path) for result in results), "calls": dict(calls)}


def _each(spent: Cost, owned: Mapping[Hashable, Cost], among: int) -> list[Cost]:
    """What was spent on each question: what is known of it, and an equal part of the rest, such as
    what a search asked the model about regions.
    """
    known = [owned.get(i, Cost()) for i in range(among)]
    rest = spent - sum(known, Cost())
    return [cost + rest.share(among) for cost in known]


def _told(cost: Cost, unknown: Container[str]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in asdict(cost).items() if name not in unknown}
