"""Decisions of a search that another order of the same float operations could turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

TieKind: TypeAlias = Literal[
    "confidence_high",  # whether a detection ends the search
    "confidence_low",  # whether the best detection of an exhausted search is accepted
    "instance_threshold",  # whether a box is an instance
    "nms_iou",  # whether two boxes are one instance, by what they share
    "cue_threshold",  # whether the target's heat guides
    "next_region",  # which of the two best regions is visited
    "best_box",  # which of a region's two best boxes is its best
    "best_region",  # which of the visited regions gave the best detection
    "sure_above",  # whether the whole image answers the question
    "stop_threshold",  # whether ZoomEye stops
]


@dataclass(frozen=True, slots=True)
class NearTie:
    """One such decision."""

    kind: TieKind
    node: int  # visit, from 0, at which it was taken; the region that was chosen
    margin: float  # >= 0, between the two numbers that were compared, in their unit


class NearTies:
    """Those of one search.

    What a model decides by itself, such as the words of a cue, is not among them.
    """

    def __init__(self, below: float) -> None:
        """`below`: the margin from which on a decision is safe; 0: none is noted."""
        self.below = below
        self.noted: list[NearTie] = []

    def compare(self, kind: TieKind, node: int, one: float, other: float) -> None:
        """Note the decision between `one` and `other` if it was close."""
        margin = abs(float(one) - float(other))
        if margin < self.below:
            self.noted.append(NearTie(kind, node, margin))
