"""The strategy `human_prior_GAMMA`: best first by where people looked (paper, table 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL.Image import Image

from seal.evaluation.task import Prediction
from seal.search.config import SearchConfig
from seal.search.driver import SearchLocator
from seal.search.guided import GuidedSearch
from seal.search.heatmap import GridHeat
from seal.search.locator import Locator
from seal.search.prior import PriorModel, scanpaths_prior
from seal.search.protocol import SearchModel
from seal.search.speed import SpeedConfig

HUMAN_PRIOR = "human_prior"


@dataclass(kw_only=True, slots=True)
class PriorNumbers:
    """How fixations become a map."""

    # Of the Gaussian at a fixation, pixels of the display. The paper gives none; this is the one of
    # the data set's authors in their HAT, 16 where the display is 512 pixels wide: 16 * 1680 / 512.
    sigma: float = 52.5

    def __post_init__(self) -> None:
        if not 0 < self.sigma < float("inf"):
            raise ValueError(f"prior.sigma={self.sigma} must be above 0")


def gamma_of(strategy: str) -> float | None:
    """The gamma in a strategy's name; None of another strategy.

    Raises:
        ValueError: `human_prior` without a gamma in (0, 1].
    """
    if not strategy.startswith(HUMAN_PRIOR):
        return None
    said = strategy.removeprefix(HUMAN_PRIOR).removeprefix("_")
    try:
        gamma = float(said)
    except ValueError:
        gamma = 0.0
    if not 0 < gamma <= 1:
        raise ValueError(
            f"strategies: {strategy} must say in (0, 1] how much less each fixation weighs than "
            f"the one before, as in {HUMAN_PRIOR}_0.9"
        )
    return gamma


class Scanpaths:
    """The fixations of the images at hand, as maps."""

    def __init__(self, numbers: PriorNumbers | None = None) -> None:
        self.numbers = numbers or PriorNumbers()
        self._told: dict[tuple[int, str], dict[str, Any]] = {}
        self._maps: dict[tuple[int, str, float], GridHeat] = {}

    def tell(self, image: Image, name: str, meta: dict[str, Any]) -> None:
        """Where people looked for `name`; `meta`: of a target of COCO-Search18."""
        self._told[id(image), name] = meta

    def forget(self, images: Iterable[Image]) -> None:
        """Drop these images."""
        gone = {id(image) for image in images}
        self._told = {key: meta for key, meta in self._told.items() if key[0] not in gone}
        self._maps = {key: heat for key, heat in self._maps.items() if key[0] not in gone}

    def map(self, image: Image, name: str, gamma: float) -> GridHeat:
        """The sum over everybody who found it, over the whole image."""
        key = id(image), name, gamma
        if key not in self._maps:
            meta = self._told[id(image), name]
            sigma = self.numbers.sigma * meta["scale"]
            paths: Sequence[Any] = meta["scanpaths"]
            self._maps[key] = scanpaths_prior(paths, *image.size, gamma=gamma, sigma=sigma)
        return self._maps[key]


def human_prior_locator(
    strategy: str,
    model: SearchModel,
    scanpaths: Scanpaths,
    config: SearchConfig,
    speed: SpeedConfig | None = None,
) -> Locator:
    """`model` detects, and nothing but the map of fixations says where to look next."""
    gamma = gamma_of(strategy)
    assert gamma is not None  # whoever calls has asked
    best_first = GuidedSearch(
        replace(config, use_target_cue=True, use_contextual_cue=False), strategy
    )
    prior = PriorModel(model, lambda image, name: scanpaths.map(image, name, gamma))
    return SearchLocator(best_first, prior, speed=speed)


def without_scanpath(target: Prediction) -> str | None:
    """Why there is no human prior for a target of a prediction line; None: there is."""
    meta = target.get("meta", {})
    if meta.get("scanpaths"):
        return None
    return (
        f"none of {meta.get('trials', 0)} people found the {target['name']} in {target['image']} "
        "by moving their eyes: there is no human prior"
    )
