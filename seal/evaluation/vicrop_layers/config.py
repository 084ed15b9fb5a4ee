"""What eval/vicrop_layers is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from seal.evaluation.choices import ModelChoice, ViCropNumbers
from seal.inference.answers.chat_options import ChatOptions
from seal.inference.vicrop.config import ViCropConfig
from seal.pipeline import ProtocolConfig


@dataclass(kw_only=True, slots=True)
class LayersRun(ModelChoice):
    """conf/eval_vicrop_layers.yaml"""

    benchmark: str  # folder in V*Bench's form; its annotated boxes are what should be looked at
    vqa: str  # the answer model: the VQA LLM or any image-text model (folder, hub id)
    out: str  # where everything goes; the same command continues what is there
    protocol: str = "default"  # default | as_released: the original's quirks
    vicrop: ViCropNumbers = field(default_factory=ViCropNumbers)  # how maps are made and cut
    chat: ChatOptions = field(default_factory=ChatOptions)  # of an answer model that is not SEAL's
    limit: int | None = 20  # questions of each split; null: all
    seed: int = 0  # of intervals

    def __post_init__(self) -> None:
        ModelChoice.__post_init__(self)  # `super()` does not work in a class with slots
        ProtocolConfig.named(self.protocol)
        useless = {"lookahead": self.lookahead, "concurrency": self.concurrency}
        useless |= {"prepare": self.prepare, "graphs": self.graphs}
        for name, value in useless.items():
            if value is not None:
                raise ValueError(f"{name}={value}: nothing is searched here; leave it out")
        if self.vicrop.layer is not None:
            raise ValueError(
                f"vicrop.layer={self.vicrop.layer}: all layers are read here; leave it out"
            )
        self.vicrop_config()  # says what is wrong with it

    def vicrop_config(self) -> ViCropConfig:
        return self.vicrop.applied_to(ViCropConfig.named(self.protocol))
