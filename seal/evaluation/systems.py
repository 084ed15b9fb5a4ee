"""The systems a benchmark compares: one pair of models, several ways to search."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeAlias, TypeVar

from PIL.Image import Image

from seal.evaluation.task import AnnotatedTarget, merged
from seal.geometry import Box
from seal.inference.answers.protocol import AnswerModel, Cost, Generation
from seal.inference.build_locator import build_locator, check_search
from seal.inference.vicrop.config import ViCropConfig
from seal.pipeline import ProtocolConfig, Seal
from seal.pipeline.planner import PlannerConfig
from seal.search.cache import CachedModel
from seal.search.config import SearchConfig
from seal.search.protocol import SearchModel
from seal.working_memory import VisualWorkingMemory

T = TypeVar("T")  # an answer
Q = TypeVar("Q")  # a request


@dataclass(slots=True)
class _Remembered(Generic[T]):
    image: Image | None  # kept alive, so that its identity, the key, is not used again
    answer: T
    cost: Cost


Asked: TypeAlias = tuple[int, str, Hashable]  # image, question, and how it is asked


class FirstAnswers:
    """An `AnswerModel` that reads a plain image once for a question, whichever system asks.

    Its cost is what each system would have caused alone: what is known already is charged again.
    """

    def __init__(self, model: AnswerModel) -> None:
        self.model = model
        self.names_missing: bool = getattr(model, "names_missing", False)
        self.scores_options: bool = getattr(model, "scores_options", True)
        self.reads_marks_as_letters: bool = getattr(model, "reads_marks_as_letters", False)
        self._charged_again = Cost()
        self._said: dict[Asked, _Remembered[Generation]] = {}
        self._words: dict[Asked, _Remembered[list[float]]] = {}

    @property
    def cost(self) -> Cost:
        return self.model.cost + self._charged_again

    def loglikelihood(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        return self.model.loglikelihood(requests)

    def next_word(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        return self._remembering(
            self._words,
            requests,
            [(memory, tuple(words)) for memory, words in requests],
            self.model.next_word,
        )

    def generate(
        self, requests: Sequence[VisualWorkingMemory], *, max_new_tokens: int = 200
    ) -> list[Generation]:
        return self._remembering(
            self._said,
            requests,
            [(memory, max_new_tokens) for memory in requests],
            lambda new: self.model.generate(new, max_new_tokens=max_new_tokens),
        )

    def _remembering(
        self,
        known: dict[Asked, _Remembered[T]],
        requests: Sequence[Q],
        asked: Sequence[tuple[VisualWorkingMemory, Hashable]],
        answer: Callable[[list[Q]], list[T]],
    ) -> list[T]:
        """The answers, of those without a search each once. `asked`: what tells requests apart."""
        plain = {
            (id(memory.image), memory.question, how): i
            for i, (memory, how) in enumerate(asked)
            if not memory.targets
        }
        new = [i for key, i in plain.items() if key not in known]
        later = [i for i, (memory, _) in enumerate(asked) if memory.targets]
        before = replace(self.model.cost)
        said = dict(zip(new, answer([requests[i] for i in new]) if new else [], strict=True))
        share = (self.model.cost - before).share(len(new)) if new else Cost()
        for i in new:
            memory, how = asked[i]
            key = id(memory.image), memory.question, how
            known[key] = _Remembered(memory.image, said[i], share)
        said |= dict(zip(later, answer([requests[i] for i in later]) if later else [], strict=True))
        answers = []
        for i, (memory, how) in enumerate(asked):
            if i in said:
                answers.append(said[i])
                continue
            remembered = known[id(memory.image), memory.question, how]
            self._charged_again += remembered.cost
            answers.append(remembered.answer)
        return answers

    def prompt(self, memory: VisualWorkingMemory) -> str:
        return self.model.prompt(memory)

    def settings(self) -> dict[str, Any]:
        return self.model.settings()

    def fits(
        self,
        memory: VisualWorkingMemory,
        options: Sequence[str] = (),
        *,
        max_new_tokens: int = 200,
    ) -> bool:
        return self.model.fits(memory, options, max_new_tokens=max_new_tokens)

    def forget(self) -> None:
        """Drop everything."""
        self._said.clear()
        self._words.clear()


class Known:
    """The annotated boxes of the images at hand."""

    def __init__(self) -> None:
        self._targets: dict[int, dict[str, tuple[Box, ...]]] = {}

    def __call__(self, image: Image, target: str) -> Sequence[Box]:
        return self._targets.get(id(image), {}).get(target, ())

    def tell(self, image: Image, targets: Iterable[AnnotatedTarget]) -> None:
        """What is in an image; adds to what is known about it."""
        known = self._targets.setdefault(id(image), {})
        for target in targets:
            known[target.name] = merged(known.get(target.name, ()), target.boxes)

    def forget(self) -> None:
        """Drop everything."""
        self._targets.clear()


class Systems:
    """`Seal`s by the name of their search; they share first answers and what was seen."""

    def __init__(
        self,
        names: Sequence[str],
        answer_model: AnswerModel,
        search_model: SearchModel | None,
        *,
        protocol: ProtocolConfig,
        search_config: SearchConfig | None = None,
        planner: str | PlannerConfig | None = None,
        vicrop: ViCropConfig | None = None,
    ) -> None:
        """`planner`, `vicrop`: as of `Seal`; None: what suits the answer model."""
        check_systems(names)
        self.known = Known()
        self._answers = FirstAnswers(answer_model)
        self.search_model = search_model
        self._cached = None if search_model is None else CachedModel(search_model)
        self.seals: Mapping[str, Seal] = {
            name: Seal(
                self._answers,
                build_locator(
                    name,
                    self._cached,
                    search_config,
                    known=self.known,
                    answer_model=answer_model,
                    vicrop=vicrop,
                    protocol=protocol.name,
                    nms_iou=protocol.nms_iou,
                ),
                protocol=protocol,
                planner=planner,
                keep_images=True,  # one system's search serves the next; `forget` ends it
            )
            for name in names
        }

    def prompt(self, memory: VisualWorkingMemory) -> str:
        """What the answer model is put, as text."""
        return self._answers.prompt(memory)

    @property
    def settings(self) -> dict[str, Any]:
        """What the answer model was loaded and is shown things with."""
        return self._answers.settings()

    @property
    def guide_settings(self) -> dict[str, Any]:
        """`guide`: what searches ask, and how; nothing where none is asked."""
        return {} if self._cached is None else {"guide": self._cached.settings()}

    @property
    def guide_cost(self) -> dict[str, Any]:
        """`guide_cost`: what the guide was asked by this process and did for it, part by part."""
        cost = getattr(self.search_model, "cost", None)
        return {"guide_cost": cost} if isinstance(cost, dict) else {}

    def forget(self, images: Iterable[Image]) -> None:
        """Make room: these images are done."""
        self._answers.forget()
        self.known.forget()
        for image in images:
            # Only networks and caches keep images; other models have nothing to forget.
            locators = [seal.locator for seal in self.seals.values()]
            for holder in (self._answers.model, self._cached, self.search_model, *locators):
                forget = getattr(holder, "forget", None)
                if forget is not None:
                    forget(image)


def check_systems(names: Sequence[str]) -> None:
    """Refuse a system twice, none at all, or one that there is not."""
    if not names or len(set(names)) != len(names):
        raise ValueError(f"systems={list(names)} must name one or more systems, each once")
    for name in names:
        check_search(name)
