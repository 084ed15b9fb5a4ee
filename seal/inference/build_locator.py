"""What finds targets, by name: a strategy with a search model, the answer model, or known boxes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seal.inference.answers.protocol import AnswerModel
from seal.inference.guides.added_confidences import AddedConfidences, added_kinds
from seal.inference.guides.config import GuideConfig, part_for, with_its_cues
from seal.search.config import SearchConfig
from seal.search.driver import SearchLocator
from seal.search.locator import Locator, Strategy
from seal.search.oracle import Known, OracleLocator
from seal.search.protocol import QueryKind, SearchModel, answered_kinds
from seal.search.shared_locator import SharedTreeLocator
from seal.search.shared_tree import require_guided
from seal.search.speed import SpeedConfig
from seal.search.strategies import SEARCHES, STRATEGIES, VICROP, build_strategy

if TYPE_CHECKING:
    from seal.inference.vicrop.config import ViCropConfig


def check_search(name: str) -> None:
    """Refuse a name that is no way to search, before anything is loaded."""
    if name not in SEARCHES:
        build_strategy(name)  # says what is wrong with it


def build_locator(
    search: str,
    model: SearchModel | None,
    config: SearchConfig | None = None,
    *,
    known: Known | None = None,
    answer_model: AnswerModel | None = None,
    vicrop: ViCropConfig | None = None,
    protocol: str = "default",
    nms_iou: float | None = None,
    speed: SpeedConfig | None = None,
) -> Locator | None:
    """What `search` names: None for "none", known boxes for "oracle", else a strategy's driver.

    `answer_model`: what says whether a question can be answered, where a search asks that and its
    guide does not tell; what ViCrop reads. `vicrop`: how; its method is that of the name, and
    `protocol` its numbers where `vicrop` is None. `speed`: how hard a strategy drives its model.

    Raises:
        ValueError: there is no such search, or it lacks what it needs.
    """
    check_search(search)
    if search == "none":
        return None
    if search == "oracle":
        if known is None:
            raise ValueError("search=oracle needs known=: the true boxes of a target in an image")
        return OracleLocator(known)
    if search in VICROP:
        from seal.inference.vicrop.config import ViCropConfig
        from seal.inference.vicrop.locator import ViCropLocator

        if answer_model is None:
            raise ValueError(f"search={search} reads the answer model: give vqa=")
        method = search.removeprefix("vicrop_")
        vicrop = vicrop or ViCropConfig.named(protocol)
        return ViCropLocator(answer_model, replace(vicrop, method=method))
    if model is None:
        raise ValueError(f"search={search} needs a search model")
    config = config or SearchConfig()
    if nms_iou is not None:
        config = replace(config, nms_iou=nms_iou)
    strategy = _strategy(search, config, answered_kinds(model), answers=answer_model is not None)
    if not strategy.needs <= answered_kinds(model):
        model = AddedConfidences(model, answer_model, config)
    locator = SearchLocator(strategy, model, speed=speed)
    return SharedTreeLocator(locator) if config.shared_tree else locator


def check_guide(
    search: str, guide: GuideConfig, *, answers: bool, config: SearchConfig | None = None
) -> None:
    """Refuse a guide that lacks what a search needs, before anything is loaded.

    answers: whether there is an answer model. config: None: what suits the guide.
    """
    if search in STRATEGIES:
        config = config or with_its_cues(SearchConfig(), guide.kinds)
        _strategy(search, config, guide.kinds, answers=answers)


def _strategy(
    search: str, config: SearchConfig, own: frozenset[QueryKind], *, answers: bool
) -> Strategy:
    """For a guide that answers `own`, and what can be made for it; too little is refused."""
    kinds = own | added_kinds(own, answers=answers)
    strategy = build_strategy(search, config, answered=kinds)
    if missing := sorted(strategy.needs - kinds):
        parts = ", ".join(dict.fromkeys(f"guide.{part_for(kind)}=" for kind in missing))
        raise ValueError(
            f"search={search} asks its guide for {', '.join(missing)}, which this one does not "
            f"give: name a guide that does ({parts}), or choose another search"
        )
    if config.shared_tree:
        require_guided(strategy)
    return strategy
