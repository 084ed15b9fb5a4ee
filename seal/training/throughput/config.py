"""What train/throughput is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from seal.models.fit.lora import LoraConfig
from seal.models.presets import VQA_PRESETS, vqa_preset, vsm_preset
from seal.models.vqa import LEVEL_STAGES, STAGES, VQAModelConfig
from seal.models.vsm import VSMModelConfig
from seal.training.config import TrainConfig
from seal.training.throughput.lengths import THREE_EXPRESSIONS, VQA_KINDS, VSM_KINDS, Kind
from seal.training.throughput.recipes import RECIPES

MIXTURES = ("paper", "three_expressions")


@dataclass(kw_only=True, slots=True)
class ThroughputConfig:
    """conf/train_throughput.yaml; conf/case sets what is trained and how."""

    program: str  # vqa | vsm: the program whose training is measured
    train: TrainConfig  # num_steps is left to `warmup` and `steps`
    deepspeed: dict[str, Any] = field(default_factory=dict)  # the DeepSpeed document
    stage: str = "instruct"  # of the VQA LLM: what is trained
    lora: LoraConfig | None = None  # None: no adapters
    quantization: str | None = None  # int8 | nf4: of the frozen LLM under LoRA (QLoRA)
    size: str = "7b"  # 7b | 13b | miniature | small (published token counts, narrow)
    layers: int | None = None  # of the language model; None: all of them
    mixture: str = "paper"  # paper | three_expressions: every image has three
    recipes: list[str] = field(default_factory=lambda: ["ours", "original"])
    original_micro_batch_size: int = 16  # of one process
    warmup: int = 3  # steps before, which are not counted
    steps: int = 10  # that are measured
    save: bool = True  # one checkpoint behind them, and how long it stops the training
    sync_debug: bool = False  # two steps more, in which a GPU tells where the host waits for it
    simulate: bool = False  # only deal the paper's batches to 8 and 32 ranks; nothing is run
    simulated_steps: int = 200
    loader: bool = False  # only read search-model samples from photos, as one worker does
    out: str = "runs/throughput"
    seed: int = 0  # of weights, lengths, tokens and pixels

    def __post_init__(self) -> None:
        if self.program not in ("vqa", "vsm"):
            raise ValueError(f"program={self.program!r} is none of vqa, vsm")
        # SEAL's mixtures are measured, whose rows show a picture once.
        stages = [stage for stage in STAGES if stage not in LEVEL_STAGES]
        sizes = [size for size, build in VQA_PRESETS.items() if build().tiles is None]
        if self.stage not in stages:
            raise ValueError(f"stage={self.stage!r} is none of {', '.join(stages)}")
        if self.size not in sizes:
            raise ValueError(f"there is no size {self.size!r}; known: {', '.join(sizes)}")
        if self.mixture not in MIXTURES:
            raise ValueError(f"mixture={self.mixture!r} is none of {', '.join(MIXTURES)}")
        if self.mixture == "three_expressions" and self.program != "vsm":
            raise ValueError("mixture=three_expressions is of the search model: set case=vsm")
        known = ", ".join(RECIPES)
        if not self.recipes or len(set(self.recipes)) != len(self.recipes):
            raise ValueError(f"recipes={self.recipes} must name some of {known}, each once")
        for name in self.recipes:
            if name not in RECIPES:
                raise ValueError(f"recipes={self.recipes}: no {name!r}; known: {known}")
        for name in ("steps", "original_micro_batch_size", "simulated_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if self.warmup < 0 or (self.layers is not None and self.layers < 1):
            raise ValueError(
                f"warmup={self.warmup} must be at least 0 and layers={self.layers} at least 1"
            )
        if self.quantization is not None and self.lora is None:
            raise ValueError(
                f"quantization={self.quantization} freezes the LLM: set case=vqa_qlora, or lora"
            )

    @classmethod
    def of(cls, values: dict[str, Any]) -> ThroughputConfig:
        """What `asdict` made of one, and JSON may have carried."""
        lora = values["lora"]
        return cls(**values | {
            "train": TrainConfig(**values["train"]),
            "lora": None if lora is None else LoraConfig(**lora),
        })  # fmt: skip

    @property
    def name(self) -> str:
        """The case, as its files are called."""
        trained = "full" if self.lora is None else f"lora{self.lora.rank}"
        if self.program == "vqa" and self.stage != "instruct":
            trained = f"{self.stage}_{trained}"
        parts = [self.program, self.size, trained]
        parts += [] if self.quantization is None else [self.quantization]
        parts += [] if self.layers is None else [f"{self.layers}layers"]
        parts += [] if self.mixture == "paper" else [self.mixture]
        return "_".join(parts)

    def model_config(self) -> VQAModelConfig | VSMModelConfig:
        """Every size of the model that is measured."""
        preset: Callable[[str], VQAModelConfig | VSMModelConfig]
        preset = vqa_preset if self.program == "vqa" else vsm_preset
        config = preset(self.size)
        if self.layers is not None:
            config.llm = replace(config.llm, num_hidden_layers=self.layers)
        return config

    def kinds(self) -> Sequence[Kind]:
        """What is mixed."""
        if self.mixture == "three_expressions":
            return THREE_EXPRESSIONS
        return VQA_KINDS if self.program == "vqa" else VSM_KINDS
