"""The numbers of the zooming search: how it splits, what comes first, and when it stops."""

from __future__ import annotations

from dataclasses import dataclass, field

from seal.text.quote import quoted

STOPS = ("answering", "existing")
BOXES = ("patch", "detect")


def _default_falls() -> list[float]:
    return [0.05, 0.05, 0.1]


@dataclass(kw_only=True, slots=True)  # not frozen: OmegaConf would make it read-only
class ZoomEyeConfig:
    """Of `ZoomEye`; after Shen et al. 2025 (arXiv 2411.16044).

    Confidences are probabilities, from 0 to 1; theirs go from -1 to 1, so that their 0.6 is 0.8.
    The form of the weight, depth, steps and first threshold are theirs; the bias and by how much
    the threshold falls could not be compared with theirs.
    """

    max_depth: int = 5  # levels below the whole image, at most
    min_size: int | None = None  # a region whose short side is at most this is not split; None: as
    # of the other searches. No share of the image's side counts beside it.
    existing_bias: float = 0.2  # weight of the existing confidence at the root; 1 at the leaves
    # How sure of what ends the search: that the question can be answered, or that the target is
    # seen, for an answer model that cannot tell the former.
    stop_by: str = "answering"
    stop_threshold: float = 0.8  # stop at a region this sure,
    threshold_falls: list[float] = field(default_factory=_default_falls)  # less these, one for
    # every as many steps as the tree has levels; less all of them once the search has run out
    steps_per_level: int = 3  # regions visited at most, the whole image among them
    instances: int = 1  # regions to find, none inside another
    # What is found: the region itself, or the target's box in it where the guide detects one that
    # scores at least `confidence_low`.
    box: str = "patch"
    # Asked in place of a question that names several targets.
    target_question: str = "What is the appearance of the {target}?"

    def __post_init__(self) -> None:
        for name in ("max_depth", "steps_per_level", "instances"):
            if getattr(self, name) < 1:
                raise ValueError(f"zoom_eye: {name}={getattr(self, name)} must be at least 1")
        if self.min_size is not None and self.min_size < 1:
            raise ValueError(
                f"zoom_eye: min_size={self.min_size} must be at least 1; null takes that of the "
                "other searches"
            )
        if not 0 <= self.existing_bias <= 1:
            raise ValueError(f"zoom_eye: existing_bias={self.existing_bias} is not in [0, 1]")
        if min(self.threshold_falls, default=0) < 0:
            raise ValueError(f"zoom_eye: threshold_falls={self.threshold_falls} must not rise")
        if not 0 <= self.final_threshold <= self.stop_threshold <= 1:
            raise ValueError(
                f"zoom_eye: stop_threshold={self.stop_threshold} less "
                f"threshold_falls={self.threshold_falls} must stay from 0 to 1"
            )
        for name, known in (("stop_by", STOPS), ("box", BOXES)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"zoom_eye: {name}={quoted(getattr(self, name))} is none of {', '.join(known)}"
                )
        if self.target_question.count("{target}") != 1 or any(
            mark in self.target_question.replace("{target}", "") for mark in "{}"
        ):
            raise ValueError(
                f"zoom_eye: target_question={quoted(self.target_question)} must name {{target}} "
                "once, and no other {}"
            )

    @property
    def final_threshold(self) -> float:
        """What the best region must reach when nothing is left to visit."""
        return self.stop_threshold - sum(self.threshold_falls)

    def threshold_at(self, step: int, levels: int) -> float:
        """What ends the search at this visit, counted from 0, in a tree of so many levels."""
        return self.stop_threshold - sum(self.threshold_falls[: step // max(levels, 1)])

    def existing_weight(self, depth: int, levels: int) -> float:
        """The share of the existing confidence in a region's priority; the latent one has the rest.

        depth: below the whole image, which has 0. What a model sees in a small region is sure, in
        a large one it can only be expected: (1 - b) / levels^2 * depth^2 + b, b at the root.
        """
        if levels == 0:
            return 1.0
        bias = self.existing_bias
        return (1 - bias) * (depth / levels) ** 2 + bias
