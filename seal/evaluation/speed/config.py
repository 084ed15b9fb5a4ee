"""What eval/speed is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from seal.evaluation.speed.script import LENGTHS
from seal.models.presets import VQA_PRESETS

# Name -> (type of everything that is not quantized, how the language model's layers are).
PRECISIONS: dict[str, tuple[str, str | None]] = {
    "fp32": ("float32", None),
    "bf16": ("bfloat16", None),
    "int8": ("bfloat16", "int8"),
    "nf4": ("bfloat16", "nf4"),
}


@dataclass(kw_only=True, slots=True)
class SpeedConfig:
    """conf/eval_speed.yaml"""

    size: str = "7b"  # 7b | 13b | miniature: of both models
    precisions: list[str] = field(default_factory=lambda: ["bf16", "int8", "nf4"])
    device: str | None = None  # cuda | cpu; None: a GPU if there is one
    out: str = "runs/speed"
    image_size: list[int] = field(default_factory=lambda: [2240, 1680])  # pixels: width, height
    questions: int = len(LENGTHS)  # searches take 4.65 visits if all are asked; 0: loading alone
    warmup: int = 1  # questions before, which are not counted
    cue_tokens: int = 15  # that each cue answer is made to have
    answer_tokens: int = 30  # of a free-form final answer, timed beside the options; 0: none
    seed: int = 0  # of weights and images
    memory_limit_gb: float | None = None  # of the GPU: what needs more fails, as on a smaller card
    # Shortens the language models, to try the program out: its figures are then not the preset's.
    num_hidden_layers: int | None = None

    def __post_init__(self) -> None:
        if self.size not in VQA_PRESETS:
            raise ValueError(f"size={self.size!r}; known: {', '.join(VQA_PRESETS)}")
        known = ", ".join(PRECISIONS)
        if not self.precisions or len(set(self.precisions)) != len(self.precisions):
            raise ValueError(f"precisions={self.precisions} must name some of {known}, each once")
        for name in self.precisions:
            if name not in PRECISIONS:
                raise ValueError(f"precisions={self.precisions}: no {name!r}; known: {known}")
        if len(self.image_size) != 2 or min(self.image_size) < 1:
            raise ValueError(f"image_size={self.image_size} is not [width,height] in pixels")
        if not 1 <= self.cue_tokens <= 100:
            raise ValueError(f"cue_tokens={self.cue_tokens} is not in [1, 100]")
        if not 0 <= self.answer_tokens <= 200:
            raise ValueError(f"answer_tokens={self.answer_tokens} is not in [0, 200]")
        if self.num_hidden_layers is not None and self.num_hidden_layers < 1:
            raise ValueError(f"num_hidden_layers={self.num_hidden_layers} must be at least 1")
        for name in ("questions", "warmup"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)} is below 0")
        if self.memory_limit_gb is not None and self.memory_limit_gb <= 0:
            raise ValueError(f"memory_limit_gb={self.memory_limit_gb} must be above 0")

    @property
    def name(self) -> str:
        """The pair of models."""
        short = "" if self.num_hidden_layers is None else f"_{self.num_hidden_layers}layers"
        return f"{self.size}{short}"
