"""What eval/speed is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from seal.evaluation.speed.script import LENGTHS
from seal.models.presets import VQA_PRESETS

# Sizes that only this program knows -> width of the language models, beside the miniature's towers.
HIDDEN = {"hidden_512": 512, "hidden_1024": 1024}
DTYPES = ("float32", "bfloat16", "float16")

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

    # 7b | 13b | miniature | ...: of both models. hidden_512, hidden_1024: the miniature's towers
    # and vocabulary, language models of that width and 8 layers
    size: str = "7b"
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
    threads: int | None = None  # of PyTorch on a CPU; None: as many as it takes by itself

    # The searches that are compared; the questions above are asked of them as well.
    ways: list[str] = field(default_factory=lambda: ["original", "plain", "alone", "all"])
    batches: list[int] = field(default_factory=lambda: [1, 4, 16, 32])  # of all levers together
    repeats: int = 1  # times each path is measured, in turn
    most_minutes: float = 30.0  # a path that must take longer than this is left out, and told
    sizes: list[str] = field(default_factory=list)  # of the search models; []: size
    dtype: str | None = None  # of the search models; None: float32 on a CPU, else bfloat16
    searched_image_size: list[int] = field(default_factory=lambda: [2246, 1582])  # width, height
    # A trained search model and a folder of V*Bench's form: real verdicts in place of the script's.
    vsm: str | None = None
    benchmark: str | None = None
    limit: int | None = 40  # questions of the benchmark, spread over it; None: all

    def __post_init__(self) -> None:
        for key, size in (("size", self.size), *(("sizes", size) for size in self.sizes)):
            if size not in VQA_PRESETS and size not in HIDDEN:
                raise ValueError(f"{key}={size!r}; known: {', '.join((*VQA_PRESETS, *HIDDEN))}")
        known = ", ".join(PRECISIONS)
        if len(set(self.precisions)) != len(self.precisions):
            raise ValueError(f"precisions={self.precisions} must name some of {known}, each once")
        for name in self.precisions:
            if name not in PRECISIONS:
                raise ValueError(f"precisions={self.precisions}: no {name!r}; known: {known}")
        for key in ("image_size", "searched_image_size"):
            pixels = getattr(self, key)
            if len(pixels) != 2 or min(pixels) < 1:
                raise ValueError(f"{key}={pixels} is not [width,height] in pixels")
        if not 1 <= self.cue_tokens <= 100:
            raise ValueError(f"cue_tokens={self.cue_tokens} is not in [1, 100]")
        if not 0 <= self.answer_tokens <= 200:
            raise ValueError(f"answer_tokens={self.answer_tokens} is not in [0, 200]")
        if self.num_hidden_layers is not None and self.num_hidden_layers < 1:
            raise ValueError(f"num_hidden_layers={self.num_hidden_layers} must be at least 1")
        for name in ("questions", "warmup"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)} is below 0")
        self._check_searches()
        if self.memory_limit_gb is not None and self.memory_limit_gb <= 0:
            raise ValueError(f"memory_limit_gb={self.memory_limit_gb} must be above 0")

    def _check_searches(self) -> None:
        if not (self.precisions or self.ways):
            raise ValueError("precisions=[] and ways=[] leave nothing to measure: name some")
        if self.dtype is not None and self.dtype not in DTYPES:
            raise ValueError(f"dtype={self.dtype!r} is none of {', '.join(DTYPES)}")
        if not self.batches or min(self.batches) < 1 or len({*self.batches}) < len(self.batches):
            raise ValueError(f"batches={self.batches} must be some numbers above 0, each once")
        for name in ("repeats", "threads", "limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}={value} must be at least 1")
        if self.most_minutes <= 0:
            raise ValueError(f"most_minutes={self.most_minutes} must be above 0")
        if (self.vsm is None) != (self.benchmark is None):
            raise ValueError(
                f"vsm={self.vsm} and benchmark={self.benchmark}: real verdicts need both, a "
                "trained search model and what it is asked; random weights neither"
            )
        if self.vsm is not None and self.sizes:
            raise ValueError(f"sizes={self.sizes} are of random weights: leave them out with vsm=")

    @property
    def name(self) -> str:
        """The pair of models."""
        short = "" if self.num_hidden_layers is None else f"_{self.num_hidden_layers}layers"
        return f"{self.size}{short}"

    @property
    def search_name(self) -> str:
        """The search model."""
        return self.name if self.vsm is None else f"{Path(self.vsm).resolve().parent.name}_vsm"
