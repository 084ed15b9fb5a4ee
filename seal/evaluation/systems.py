"""The systems a benchmark compares: one pair of models, several ways to search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from PIL.Image import Image

from seal.evaluation.task import AnnotatedTarget, merged
from seal.geometry import Box
from seal.inference.answers.protocol import AnswerModel, Cost, Generation
from seal.inference.build_locator import build_locator, check_search
from seal.pipeline import ProtocolConfig, Seal
from seal.search.cache import CachedModel
from seal.search.config import SearchConfig
from seal.search.protocol import SearchModel
from seal.working_memory import VisualWorkingMemory


class FirstAnswers:
    """An `AnswerModel` that gives a first answer once, however many systems ask for it."""

    def __init__(self, model: AnswerModel) -> None:
        self.model = model
        # By identity of the image, which is kept alive so that its identity is not reused.
        self._known: dict[tuple[int, str], tuple[Image | None, Generation]] = {}
        self.names_missing: bool = getattr(model, "names_missing", False)

    def loglikelihood(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        return self.model.loglikelihood(requests)

    @property
    def cost(self) -> Cost:
        """Of the model itself: an answer that is known costs nothing more."""
        return self.model.cost

    def next_word(
        self, requests: Sequence[tuple[VisualWorkingMemory, Sequence[str]]]
    ) -> list[list[float]]:
        return self.model.next_word(requests)

    def generate(
        self, requests: Sequence[VisualWorkingMemory], *, max_new_tokens: int = 200
    ) -> list[Generation]:
        new = {
            _key(memory): memory
            for memory in requests
            if not memory.targets and _key(memory) not in self._known
        }
        later = [memory for memory in requests if memory.targets]
        said = iter(self.model.generate([*new.values(), *later], max_new_tokens=max_new_tokens))
        for key, memory in new.items():
            self._known[key] = memory.image, next(said)
        return [
            next(said) if memory.targets else self._known[_key(memory)][1] for memory in requests
        ]

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
        self._known.clear()


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
    ) -> None:
        check_systems(names)
        self.known = Known()
        self._answers = FirstAnswers(answer_model)
        self.search_model = search_model
        self._cached = None if search_model is None else CachedModel(search_model)
        self.seals: Mapping[str, Seal] = {
            name: Seal(
                self._answers,
                build_locator(
                    name, self._cached, search_config, known=self.known, nms_iou=protocol.nms_iou
                ),
                protocol=protocol,
                keep_images=True,  # one system's search serves the next; `forget` ends it
            )
            for name in names
        }

    def forget(self, images: Iterable[Image]) -> None:
        """Make room: these images are done."""
        self._answers.forget()
        self.known.forget()
        for image in images:
            # Only networks and caches keep images; other models have nothing to forget.
            for holder in (self._answers.model, self._cached, self.search_model):
                forget = getattr(holder, "forget", None)
                if forget is not None:
                    forget(image)


def check_systems(names: Sequence[str]) -> None:
    """Refuse a system twice, none at all, or one that there is not."""
    if not names or len(set(names)) != len(names):
        raise ValueError(f"systems={list(names)} must name one or more systems, each once")
    for name in names:
        check_search(name)


def _key(memory: VisualWorkingMemory) -> tuple[int, str]:
    return id(memory.image), memory.question
