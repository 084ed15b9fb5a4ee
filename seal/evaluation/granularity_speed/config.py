"""What eval/granularity_speed is told."""

from __future__ import annotations

from dataclasses import dataclass

from seal.evaluation.choices import DTYPES
from seal.models.presets import VQA_PRESETS

CLOCKS = ("wall", "cpu")


@dataclass(kw_only=True, slots=True)
class GranularitySpeedConfig:
    """conf/eval_granularity_speed.yaml"""

    # A preset of the VQA LLM. One without levels (small, 7b ...) gets AVG-LLaVA's tiles of 24 x 24
    # tokens, projector and router on top of its widths, so that the numbers of tokens are published
    size: str = "avg_7b"
    image_size: tuple[int, int] = (672, 672)  # pixels: width, height; 4 tiles and the global one
    answer_tokens: int = 20  # of an answer
    repeats: int = 3  # times each question is timed; the median counts
    # cpu: seconds that this process computed, on a CPU that others use as well; at one thread those
    # are what the wall clock would tell without the others
    clock: str = "wall"  # wall | cpu
    device: str | None = None  # cuda | cpu; None: a GPU if there is one
    dtype: str | None = None  # float32 | bfloat16 | float16; None: bfloat16 on a GPU, else float32
    out: str = "runs/granularity_speed"
    seed: int = 0  # of weights and images
    # Of the language model, in place of the preset's. The router weighs about as much as a layer: a
    # narrow model of 32 layers shows what share of the work it has at 7B.
    num_hidden_layers: int | None = None

    def __post_init__(self) -> None:
        self.image_size = (int(self.image_size[0]), int(self.image_size[1]))
        if self.size not in VQA_PRESETS:
            raise ValueError(f"size={self.size!r}; known: {', '.join(VQA_PRESETS)}")
        for name, known in (("clock", CLOCKS), ("dtype", DTYPES)):
            if (value := getattr(self, name)) is not None and value not in known:
                raise ValueError(f"{name}={value!r} is none of {', '.join(known)}")
        if min(self.image_size) < 1:
            raise ValueError(f"image_size={list(self.image_size)} is not [width,height] in pixels")
        for name in ("answer_tokens", "repeats"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if self.num_hidden_layers is not None and self.num_hidden_layers < 1:
            raise ValueError(f"num_hidden_layers={self.num_hidden_layers} must be at least 1")

    @property
    def name(self) -> str:
        """The model, in words."""
        short = "" if self.num_hidden_layers is None else f", {self.num_hidden_layers} layers"
        return f"{self.size}{short}"
