"""The settings of ViCrop: which map of the model is read, and how a window is cut out of it."""

from __future__ import annotations

from dataclasses import dataclass

METHODS = ("rel_att", "grad_att", "pure_grad")
HIGH_RESOLUTION = ("auto", "on", "off")
VIEWS = ("pad", "as_released")
BUNDLES = ("default", "as_released")


@dataclass(kw_only=True, slots=True)
class ViCropConfig:
    """Defaults are what we believe in; `named("as_released")` is what the original computed."""

    method: str = "rel_att"  # rel_att | grad_att | pure_grad
    layer: int | None = None  # of the language model, 0-based; None: of the model's family
    base_window: int | None = None  # pixels, side of the smallest crop; None: of the family
    scales: tuple[float, ...] = (1.0, 1.2, 1.4, 1.6, 1.8, 2.0)  # of the base window, tried in turn
    # auto: images above tile_threshold, for models that shrink every image to one size
    high_resolution: str = "auto"  # auto | on | off: one map for each tile of the image
    tile_threshold: int = 1024  # pixels, about the largest side of a tile
    # pad: the map lies where the model saw it; as_released: stretched over the whole image
    view: str = "pad"
    general_floor: float | None = None  # least general map, share of its mean; None: of the family
    smoothing: float = 0.0  # sigma in cells of a 3 x 3 Gaussian over the map; 0: none
    high_pass_sigma: float = 0.8  # pixels, of the 3 x 3 blur that pure_grad takes away
    # pixels of what the tower sees, side of a cell of a pure_grad map; None: a patch of the tower
    block: int | None = None
    general_question: str = "Write a general description of the image."
    short_question: bool = True  # maps are made without the option lines of a question
    # Windows under a cell, maps with NaN and flat ones are told and dealt with, and portraits are
    # cut into tiles. False: as the original, which returns a corner silently, or fails.
    guards: bool = True

    def __post_init__(self) -> None:
        for name, known in (
            ("method", METHODS),
            ("high_resolution", HIGH_RESOLUTION),
            ("view", VIEWS),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}={getattr(self, name)!r} is none of {', '.join(known)}")
        if self.layer is not None and self.layer < 0:
            raise ValueError(f"layer={self.layer} must be at least 0: layers count from the first")
        if self.base_window is not None and self.base_window < 2:
            raise ValueError(f"base_window={self.base_window} must be at least 2 pixels")
        self.scales = tuple(self.scales)  # a list where it comes from a file
        if not self.scales or min(self.scales) < 1 or sorted(set(self.scales)) != [*self.scales]:
            raise ValueError(f"scales={list(self.scales)} must be at least 1, each above the last")
        for name in ("tile_threshold", "block"):
            if (side := getattr(self, name)) is not None and side < 1:
                raise ValueError(f"{name}={side} must be at least 1 pixel")
        if self.general_floor is not None and not 0 <= self.general_floor <= 1:
            raise ValueError(
                f"general_floor={self.general_floor} is not in [0, 1], a share of the map's mean"
            )
        if self.smoothing < 0:
            raise ValueError(f"smoothing={self.smoothing} must be at least 0; 0 switches it off")
        if self.high_pass_sigma <= 0:
            raise ValueError(f"high_pass_sigma={self.high_pass_sigma} must be above 0")
        if not self.general_question.strip():
            raise ValueError("general_question must not be empty: the maps are divided by its map")

    @classmethod
    def named(cls, name: str, *, method: str = "rel_att") -> ViCropConfig:
        """`default`, or `as_released`, which reproduces the original with its quirks."""
        if name == "default":
            return cls(method=method)
        if name == "as_released":
            return cls(
                method=method,
                high_resolution="off",  # the original has it as methods of their own, for V*Bench
                view="as_released",
                general_floor=0.0,
                guards=False,
            )
        raise ValueError(f"protocol={name!r}; known: {', '.join(BUNDLES)}")
