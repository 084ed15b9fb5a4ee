"""Stand-ins for the networks: they obey the protocols and know the answers they are given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from seal.geometry import Box
from seal.inference.answers.memory_question import memory_question
from seal.inference.answers.protocol import Account, Cost, Generation
from seal.search.oracle import OracleModel
from seal.search.protocol import Cue, Detections, Heat, Query
from seal.text.conversation import VQA, prompt_text
from seal.text.prompts import refusal
from seal.working_memory import VisualWorkingMemory

Loss = Callable[[VisualWorkingMemory, str], float]


def generation(text: str) -> Generation:
    return Generation(text, len(text.split()) + 1, True)


class FakeAnswerModel:
    """Refuses a question that lacks something until the memory holds it, then answers.

    needs: question -> names of what must be seen. answers: question -> free text once it is seen.
    loss: of an option; by default 0.1 for the option in `answers` and 1.0 for every other, but
    everything 1.0 while something is missing.
    """

    names_missing = True

    def __init__(
        self,
        needs: Mapping[str, Sequence[str]] | None = None,
        answers: Mapping[str, str] | None = None,
        loss: Loss | None = None,
        max_crops: int | None = None,
    ) -> None:
        self.max_crops = max_crops  # that fit; None: any number
        self.needs, self.answers = dict(needs or {}), dict(answers or {})
        self.loss = loss or self._loss
        self.generated: list[list[VisualWorkingMemory]] = []  # the batches it was given
        self.scored: list[list[tuple[VisualWorkingMemory, tuple[str, ...]]]] = []
        self.account = Account()

    @property
    def cost(self) -> Cost:
        return self.account.total

    def loglikelihood(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        self.scored.append([(memory, tuple(options)) for memory, options in requests])
        self._count([memory for memory, _ in requests])
        for memory, options in requests:
            self.account.charge(memory, Cost(options_scored=len(options)))
        return [[self.loss(memory, option) for option in options] for memory, options in requests]

    def next_word(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        self._count([memory for memory, _ in requests])
        return [[self.loss(memory, word) for word in words] for memory, words in requests]

    def generate(
        self, requests: Sequence[VisualWorkingMemory], *, max_new_tokens: int = 200
    ) -> list[Generation]:
        self.generated.append(list(requests))
        self._count(requests)
        said = [generation(self._say(memory)) for memory in requests]
        for memory, each in zip(requests, said, strict=True):
            self.account.charge(memory, Cost(tokens_written=each.num_tokens))
        return said

    def prompt(self, memory: VisualWorkingMemory) -> str:
        return prompt_text(VQA, memory_question(memory))

    def settings(self) -> dict[str, Any]:
        return {"kind": "fake"}

    def fits(
        self,
        memory: VisualWorkingMemory,
        options: Sequence[str] = (),
        *,
        max_new_tokens: int = 200,
    ) -> bool:
        return self.max_crops is None or memory.num_crops <= self.max_crops

    def _count(self, memories: Sequence[VisualWorkingMemory]) -> None:
        """A word is a token, and every picture has a thousand pixels."""
        for memory in memories:
            shown = (memory.image is not None) + memory.num_crops
            words = len(memory.question.split())
            read = Cost(calls=1, tokens_read=words, images=shown, pixels=1000 * shown)
            self.account.charge(memory, read)

    def missing(self, memory: VisualWorkingMemory) -> list[str]:
        seen = {target.name for target in memory.targets if target.boxes}
        return [name for name in self.needs.get(memory.question, ()) if name not in seen]

    def _say(self, memory: VisualWorkingMemory) -> str:
        if not memory.targets and self.missing(memory):
            return refusal(self.missing(memory))
        return self.answers.get(memory.question, "Yes.")

    def _loss(self, memory: VisualWorkingMemory, option: str) -> float:
        right = option == self.answers.get(memory.question) and not self.missing(memory)
        return 0.1 if right else 1.0


class FakeChatModel(FakeAnswerModel):
    """A model that never refuses, and is asked: how sure it is of a question, what it lists.

    sure: question -> probability of Yes; None: it tells no probabilities, and says `says_sure`.
    lists: question -> its whole answer when asked which objects it must see.
    """

    names_missing = False

    def __init__(
        self,
        sure: Mapping[str, float | None],
        lists: Mapping[str, str],
        answers: Mapping[str, str] | None = None,
        *,
        says_sure: str = "No.",
        finished: bool = True,
        mass: float = 0.9,
    ) -> None:
        super().__init__(answers=answers)
        self.sure, self.lists = dict(sure), dict(lists)
        self.says_sure, self.finished, self.mass = says_sure, finished, mass
        self.worded: list[list[VisualWorkingMemory]] = []  # the batches of next_word

    def next_word(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        self.worded.append([memory for memory, _ in requests])
        self._count(self.worded[-1])
        return [self._yes_no(memory) for memory, _ in requests]

    def generate(
        self, requests: Sequence[VisualWorkingMemory], *, max_new_tokens: int = 200
    ) -> list[Generation]:
        said = super().generate(requests, max_new_tokens=max_new_tokens)
        return [replace(each, finished=self.finished) for each in said]

    def _yes_no(self, memory: VisualWorkingMemory) -> list[float]:
        yes = self._of(self.sure, memory)
        if yes is None:
            return [math.inf, math.inf]
        return [-math.log(p * self.mass) if p else math.inf for p in (yes, 1 - yes)]

    def _say(self, memory: VisualWorkingMemory) -> str:
        if "Yes or No" in memory.question:
            return self.says_sure
        if "JSON list" in memory.question:
            return str(self._of(self.lists, memory))
        return self.answers.get(memory.question, "It is.")

    def _of(self, known: Mapping[str, object], memory: VisualWorkingMemory) -> Any:
        return next(said for question, said in known.items() if question in memory.question)


class FakeSearchModel:
    """An oracle that knows where the named things are in any image, and counts its batches.

    Names it does not know are nowhere.
    """

    def __init__(self, boxes: Mapping[str, Sequence[Box]], *, min_share: float = 0.01) -> None:
        self.batches: list[tuple[str, int]] = []  # (kind, size) of each call
        self._oracle = OracleModel(lambda image, name: boxes.get(name, ()), min_share=min_share)

    def detect(self, queries: Sequence[Query]) -> list[Detections]:
        self.batches.append(("detect", len(queries)))
        return self._oracle.detect(queries)

    def contextual_cue(self, queries: Sequence[Query]) -> list[Cue]:
        self.batches.append(("contextual_cue", len(queries)))
        return self._oracle.contextual_cue(queries)

    def cue_heatmap(self, queries: Sequence[Query]) -> list[Heat]:
        self.batches.append(("cue_heatmap", len(queries)))
        return list(self._oracle.cue_heatmap(queries))
