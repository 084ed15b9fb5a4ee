"""The search strategies by name."""

from __future__ import annotations

from dataclasses import replace

from seal.search.config import SearchConfig
from seal.search.every_instance import EveryInstance
from seal.search.exhaustive import ExhaustiveSearch, WholeImageDetector
from seal.search.expert_first import ExpertFirst
from seal.search.guided import GuidedSearch
from seal.search.locator import Strategy
from seal.search.protocol import QueryKind
from seal.search.result import EVERY as EVERY
from seal.search.zoom_eye import ZoomEye

# A target's name alone decides what these look at.
BY_TARGET = (
    "guided",
    "no_target_cue",
    "no_contextual_cue",
    "sequential_bfs",
    "sequential_dfs",
    "random_bfs",
    "random_dfs",
    "whole_image_detector",
)
# `EVERY` looks at every region, for all things of a name: what it costs is no matter of what it
# finds. The question that is asked decides what the last two look at.
STRATEGIES = (*BY_TARGET, EVERY, "expert_first", "zoom_eye")
# Read from the answer model's own attention or gradients, for the question itself (ViCrop).
VICROP = ("vicrop_rel_att", "vicrop_grad_att", "vicrop_pure_grad")
# Not a matter of the search model alone: no search at all, the true boxes (`oracle`), recorded eye
# movements (`prior`).
NOT_STRATEGIES = (*VICROP, "none", "oracle", "human_prior")
# What a question can be asked with, whatever it needs.
SEARCHES = (*STRATEGIES, *VICROP, "none", "oracle")


def build_strategy(
    name: str,
    config: SearchConfig | None = None,
    *,
    answered: frozenset[QueryKind] = frozenset({"answering"}),
) -> Strategy:
    """The strategy called `name`, with the numbers of `config`.

    `answered`: the kinds that the model answers. "answering" and "expert" are asked for only where
    they are among them.

    Raises:
        ValueError: there is no such strategy.
    """
    config = config or SearchConfig()
    asks = "answering" in answered
    match name:
        case "guided":
            return GuidedSearch(config)
        case "no_target_cue":
            return GuidedSearch(
                # Where a guide has no contextual cue, this search is refused, not run without any.
                replace(config, use_target_cue=False, use_contextual_cue=True),
                name,
            )
        case "no_contextual_cue":
            return GuidedSearch(
                replace(config, use_contextual_cue=False, use_target_cue=True), name
            )
        case "sequential_bfs" | "random_bfs":
            return ExhaustiveSearch(config, order="bfs", shuffle=name.startswith("random"))
        case "sequential_dfs" | "random_dfs":
            return ExhaustiveSearch(config, order="dfs", shuffle=name.startswith("random"))
        case "whole_image_detector":
            return WholeImageDetector(config)
        case "every_instance":
            return EveryInstance(config)
        case "expert_first":
            return ExpertFirst(config, asks=asks, expert="expert" in answered)
        case "zoom_eye":
            return ZoomEye(config, asks=asks)
    if name in NOT_STRATEGIES:
        raise ValueError(
            f"search={name} is not run by a search model alone; the pipeline and the evaluation "
            f"set it up. Here one of {', '.join(STRATEGIES)} is needed"
        )
    raise ValueError(
        f"there is no search strategy {name!r}; choose one of "
        f"{', '.join((*STRATEGIES, *NOT_STRATEGIES))}"
    )
