"""The VQA LLM: answers from the image, or from the visual working memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from seal.batch import Batch, VQAOutput
from seal.models.parts.projectors import ResamplerConfig
from seal.models.parts.vision import VisionConfig
from seal.models.vlm import VLM, LlmConfig
from seal.text.template import require_prompt_style

STAGES = ("align_linear", "align_resampler", "instruct")


@dataclass(kw_only=True, slots=True)
class VQAModelConfig:
    """Every size of the VQA LLM; the defaults are the published 7B model."""

    llm: LlmConfig = field(default_factory=LlmConfig)
    vision: VisionConfig = field(default_factory=VisionConfig)
    resampler: ResamplerConfig = field(default_factory=ResamplerConfig)
    token_policy: str = "paper_inference"  # which projector serves what (seal.text.tokens)
    prompt_style: str = "vicuna"  # vicuna | chat: the tokenizer's own template (seal.text.template)

    def __post_init__(self) -> None:
        require_prompt_style(self.prompt_style)

    def build(self) -> VQAModel:
        return VQAModel(self)


class VQAModel(VLM):
    """The multimodal core with an object projector; nothing else."""

    def __init__(self, config: VQAModelConfig) -> None:
        super().__init__(config.llm, config.vision, config.resampler)
        self.config = config

    def forward(self, batch: Batch) -> VQAOutput:
        return VQAOutput(self.supervised_logits(batch, self.hidden_states(batch)))

    def set_trainable(self, stage: str) -> None:
        """Freeze what `stage` does not train (models.md section 1)."""
        if stage not in STAGES:
            raise ValueError(f"unknown stage {stage!r}; known: {', '.join(STAGES)}")
        self.requires_grad_(False)
        assert self.object_projector is not None
        if stage != "align_resampler":
            self.image_projector.requires_grad_(True)
        if stage != "align_linear":
            self.object_projector.requires_grad_(True)
        if stage == "instruct":
            for parameter in self.llm.parameters():
                # Packed weights (QLoRA) are integers; adapters train in their place.
                parameter.requires_grad_(parameter.is_floating_point())
