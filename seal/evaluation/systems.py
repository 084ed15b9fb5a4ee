"""The systems a benchmark compares: one pair of models, several ways to search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from PIL.Image import Image

from seal.evaluation.asked_boxes import AskedBoxes, AskedOracle
from seal.evaluation.charged_cache import ChargedCache
from seal.evaluation.controls import (
    CONTROLS,
    ORACLE_CROP,
    build_control,
    controlled_system,
    searches_as,
)
from seal.evaluation.first_answers import FirstAnswers
from seal.evaluation.first_searches import FirstSearches
from seal.evaluation.shown_systems import search_part, shown_part, shown_ways, with_shown
from seal.evaluation.task import AnnotatedTarget, merged
from seal.geometry import Box
from seal.inference.answers.protocol import AnswerModel
from seal.inference.build_locator import build_locator, check_search
from seal.inference.vicrop.config import ViCropConfig
from seal.pipeline import ProtocolConfig, Seal
from seal.pipeline.planner import PlannerConfig
from seal.search.config import SearchConfig
from seal.search.locator import Locator
from seal.search.protocol import SearchModel
from seal.search.speed import SpeedConfig
from seal.working_memory import VisualWorkingMemory


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
        control_of: str | None = None,
        seed: int = 0,
        speed: SpeedConfig | None = None,
    ) -> None:
        """`planner`, `vicrop`: as of `Seal`; None: what suits the answer model.

        `control_of`: what controls among `names` are controls of; None: the first that searches.
        `seed`: of where random crops lie. `speed`: how hard searches drive the search model.
        """
        check_systems(names)
        self.control_of = controlled_system(names, control_of)
        self.known = AskedBoxes()
        self._answers = FirstAnswers(answer_model)
        # By how pictures are shown; a search asks the answer model as the run shows them.
        shown = {"": self._answers}
        shown |= {word: self._answers.shown_as(word) for word in shown_ways(names)}
        self._shown = shown
        self.search_model = search_model
        self._cached = None
        if search_model is not None:
            self._cached = ChargedCache(search_model, self._answers)
        locators: dict[str, Locator | None] = {}
        for search in dict.fromkeys(map(self.search_of, names)):
            locator: Locator | None = AskedOracle(self.known)
            if search != "oracle":
                locator = build_locator(
                    search,
                    self._cached,
                    search_config,
                    answer_model=answer_model,
                    vicrop=vicrop,
                    protocol=protocol.name,
                    nms_iou=protocol.nms_iou,
                    speed=speed,
                )
            if locator is not None and search == self.control_of:
                locator = FirstSearches(locator, self._answers)
            locators[search] = locator
        self.seals: Mapping[str, Seal] = {
            name: Seal(
                shown[shown_part(name)],
                locators[self.search_of(name)],
                protocol=protocol,
                planner=planner,
                keep_images=True,  # one system's search serves the next; `forget` ends it
                control=build_control(name, self.known.of, seed=seed),
            )
            for name in names
        }

    @property
    def reads_marks_as_letters(self) -> bool:
        """Whether the answer model takes <image> and the like for plain text."""
        return self._answers.reads_marks_as_letters

    def search_of(self, system: str) -> str:
        """The name of the search that a system makes."""
        return searches_as(system, self.control_of)

    def controlled(self, system: str) -> dict[str, str]:
        """`control_of` of a control, for its lines; nothing of any other system."""
        if search_part(system) not in CONTROLS:
            return {}
        return {"control_of": with_shown(self.search_of(system), system)}

    def asked(self, system: str, content: str) -> str:
        """What a system's line answers: the question's content, and what a control controls."""
        return " ".join([content, *(f"{k}={v}" for k, v in self.controlled(system).items())])

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
        for answers in self._shown.values():
            answers.forget()
        self.known.forget()
        for image in images:
            # Only networks and caches keep images; other models have nothing to forget.
            locators = list({id(s.locator): s.locator for s in self.seals.values()}.values())
            for holder in (self._answers.model, self._cached, self.search_model, *locators):
                forget = getattr(holder, "forget", None)
                if forget is not None:
                    forget(image)


def check_systems(names: Sequence[str]) -> None:
    """Refuse a system twice, none at all, or one that there is not."""
    shown_ways(names)
    plain = [with_shown("oracle", n) if search_part(n) == ORACLE_CROP else n for n in names]
    if not names or len(set(plain)) != len(names):
        also = ""
        if any(search_part(name) == ORACLE_CROP for name in names):
            also = f"; {ORACLE_CROP} is another name of oracle"
        raise ValueError(f"systems={list(names)} must name one or more systems, each once{also}")
    for name in map(search_part, names):
        if name in (*CONTROLS, ORACLE_CROP):
            continue
        try:
            check_search(name)
        except ValueError as error:
            others = ", ".join((*CONTROLS, ORACLE_CROP))
            raise ValueError(f"{error}; controls are {others}") from error
