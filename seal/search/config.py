"""The numbers that steer a search: when it stops, when it splits, what guides it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from seal.geometry import Box
from seal.search.budget import BudgetConfig
from seal.search.zoom_eye_config import ZoomEyeConfig


@dataclass(kw_only=True, slots=True)
class ExpertFirstConfig:
    """Of `ExpertFirst`."""

    sure_above: float = 0.5  # from this confidence on the whole image answers the question
    expert_above: float | None = None  # the expert sees what scores above this; None: as the search

    def __post_init__(self) -> None:
        for name in ("sure_above", "expert_above"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"expert_first: {name}={value} is not in [0, 1]")


@dataclass(kw_only=True, slots=True)
class EveryInstanceConfig:
    """Of `EveryInstance`; what overlaps more than `nms_iou` (None: 0.5) is one instance."""

    max_depth: int | None = None  # levels of regions, the whole image is 1; None: to the leaves
    contained: float = 0.8  # nor are two of which this share of the smaller lies in the other
    border: float = 0.02  # a box this near an inner border, in sides of its region, is cut by it
    look_again: bool = True  # at what no region shows whole, from a region with it in the middle

    def __post_init__(self) -> None:
        if self.max_depth is not None and self.max_depth < 1:
            raise ValueError(
                f"every_instance.max_depth={self.max_depth}: the whole image is level 1; null goes "
                "down to the leaves"
            )
        if not 0 < self.contained <= 1:
            raise ValueError(f"every_instance.contained={self.contained} is not in (0, 1]")
        if not 0 <= self.border < 0.5:
            raise ValueError(f"every_instance.border={self.border} is not in [0, 0.5)")


@dataclass(kw_only=True, slots=True)  # not frozen: OmegaConf would make it read-only
class SearchConfig:
    """Defaults are the published ones. The exhaustive strategies read the same numbers."""

    confidence_high: float = 0.5  # stop as soon as a detection scores above this
    confidence_low: float = 0.3  # least score accepted once the search is exhausted
    instance_threshold: float = 0.5  # on the whole image, every box above this is an instance
    nms_iou: float | None = None  # drop an instance that overlaps a better one more than this
    cue_threshold: float = 6.0  # heatmap peak above which the target itself guides the search,
    cue_threshold_decay: float = 0.7  # times this per level,
    cue_threshold_min: float = 3.0  # but never less than this
    use_target_cue: bool = True  # False: the contextual cue always guides (an ablation)
    use_contextual_cue: bool = True  # False: the target's heat guides, however weak (an ablation)
    min_size: int = 224  # a region whose short side is at most this is not split,
    min_size_scale: float = 4.0  # nor one at most the image's short side over this
    seed: int = 0  # of the random strategies
    shared_tree: bool = False  # the targets of one image share one walk (guided searches alone)
    near_tie_margin: float = 1e-4  # decisions closer than this are told; 0: none
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    every_instance: EveryInstanceConfig = field(default_factory=EveryInstanceConfig)
    expert_first: ExpertFirstConfig = field(default_factory=ExpertFirstConfig)
    zoom_eye: ZoomEyeConfig = field(default_factory=ZoomEyeConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.confidence_low <= self.confidence_high <= 1:
            raise ValueError(
                "expected 0 <= confidence_low <= confidence_high <= 1, "
                f"got {self.confidence_low} and {self.confidence_high}"
            )
        if not 0 <= self.instance_threshold <= 1:
            raise ValueError(f"instance_threshold={self.instance_threshold} is not in [0, 1]")
        if self.nms_iou is not None and not 0 < self.nms_iou <= 1:
            raise ValueError(f"nms_iou={self.nms_iou} is not in (0, 1]; null switches it off")
        if self.cue_threshold_decay <= 0:
            raise ValueError(f"cue_threshold_decay={self.cue_threshold_decay} is not above 0")
        if self.min_size < 1 or self.min_size_scale <= 0:
            raise ValueError(
                "expected min_size >= 1 and min_size_scale > 0 (a region of one pixel cannot be "
                f"split), got {self.min_size} and {self.min_size_scale}"
            )
        if not 0 <= self.near_tie_margin <= 1:
            raise ValueError(f"near_tie_margin={self.near_tie_margin} is not in [0, 1]")
        if not (self.use_target_cue or self.use_contextual_cue):
            raise ValueError(
                "use_target_cue and use_contextual_cue are both off: nothing would guide the "
                "search; use the strategy sequential_bfs or random_bfs instead"
            )

    def numbers(self) -> dict[str, Any]:
        """Without those that only one strategy reads, and those that are off."""
        named = asdict(self)
        for of_one in ("expert_first", "zoom_eye", "every_instance", "near_tie_margin"):
            del named[of_one]
        if not self.shared_tree:
            del named["shared_tree"]
        del named["budget"]
        return named | ({"budget": self.budget.limits} if self.budget.limits else {})

    def cue_threshold_at(self, depth: int) -> float:
        """The peak a target's heat must exceed to guide from a node of this depth (root 1)."""
        decayed = self.cue_threshold * self.cue_threshold_decay ** (depth - 1)
        return max(self.cue_threshold_min, decayed)

    def leaf_size(self, width: int, height: int) -> int:
        """Short side, in pixels, at or below which a region of this image is not split."""
        return max(self.min_size, math.ceil(min(width, height) / self.min_size_scale))

    def is_leaf(self, box: Box, width: int, height: int) -> bool:
        return min(box.width, box.height) <= self.leaf_size(width, height)
