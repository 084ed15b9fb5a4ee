"""What eval/vicrop_speed is told."""

from __future__ import annotations

from dataclasses import dataclass

from seal.evaluation.choices import DTYPES
from seal.inference.vicrop.config import ViCropConfig
from seal.models.presets import VQA_PRESETS

SEAL = "seal"
WEIGHTS = ("random", "stored")


@dataclass(kw_only=True, slots=True)
class ViCropSpeedConfig:
    """conf/eval_vicrop_speed.yaml"""

    # seal: SEAL's VQA LLM of `size`; else a model folder of Hugging Face or its id
    vqa: str = SEAL
    size: str = "7b"  # of vqa=seal: 7b | 13b | small | miniature
    # random: the config and the processor of a folder are enough; vqa=seal is always random
    weights: str = "random"
    method: str = "rel_att"  # rel_att | grad_att | pure_grad
    batch: int = 8  # questions at a time, each on an image of its own
    answer_tokens: int = 20  # of an answer; ViCrop's own limit
    repeats: int = 3  # times each thing is timed; the median counts
    image_size: tuple[int, int] = (800, 600)  # pixels: width, height
    device: str | None = None  # cuda | cpu; None: a GPU if there is one
    dtype: str | None = None  # float32 | bfloat16 | float16; None: bfloat16 on a GPU, else float32
    out: str = "runs/vicrop_speed"
    seed: int = 0  # of weights and images
    # Shortens the language model, to try the program out: its figures are then not the model's.
    num_hidden_layers: int | None = None

    def __post_init__(self) -> None:
        ViCropConfig(method=self.method)  # says which methods there are
        self.image_size = (int(self.image_size[0]), int(self.image_size[1]))
        if self.vqa == SEAL and self.size not in VQA_PRESETS:
            raise ValueError(f"size={self.size!r}; known: {', '.join(VQA_PRESETS)}")
        for name, known in (("weights", WEIGHTS), ("dtype", DTYPES)):
            if (value := getattr(self, name)) is not None and value not in known:
                raise ValueError(f"{name}={value!r} is none of {', '.join(known)}")
        for name in ("batch", "answer_tokens", "repeats"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if min(self.image_size) < 1:
            raise ValueError(f"image_size={list(self.image_size)} is not [width,height] in pixels")
        if self.num_hidden_layers is not None and self.num_hidden_layers < 1:
            raise ValueError(f"num_hidden_layers={self.num_hidden_layers} must be at least 1")

    @property
    def name(self) -> str:
        """The model, in words."""
        short = "" if self.num_hidden_layers is None else f", {self.num_hidden_layers} layers"
        return f"SEAL's VQA LLM {self.size}{short}" if self.vqa == SEAL else f"{self.vqa}{short}"
