"""The visual search model: a LLaVA whose `[LOC]` query drives a box decoder and a cue decoder."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from seal.batch import Batch, VSMOutput
from seal.models.parts.cue_decoder import CueDecoderConfig
from seal.models.parts.initialize import unit_variance_
from seal.models.parts.owlvit import OwlViTConfig
from seal.models.parts.pixels import normalized
from seal.models.parts.vision import VisionConfig
from seal.models.vlm import VLM, LlmConfig
from seal.text.template import require_prompt_style


@dataclass(kw_only=True, slots=True)
class VSMModelConfig:
    """Every size of the search model; the defaults are the published 7B model."""

    # <im_patch> <im_start> <im_end> [LOC] follow the 32000 pieces
    llm: LlmConfig = field(default_factory=lambda: LlmConfig(vocab_size=32004))
    vision: VisionConfig = field(default_factory=VisionConfig)
    detector: OwlViTConfig = field(default_factory=OwlViTConfig)
    cue_decoder: CueDecoderConfig = field(default_factory=CueDecoderConfig)
    # The smallest region this model was made to look at; a search stops splitting there.
    search_min_size: int = 224
    search_min_size_scale: float = 4.0
    prompt_style: str = "vicuna"  # vicuna | chat: the tokenizer's own template (seal.text.template)

    def __post_init__(self) -> None:
        require_prompt_style(self.prompt_style)

    def build(self) -> VSM:
        return VSM(self)


class VSM(VLM):
    """`forward` predicts; the losses are elsewhere."""

    def __init__(self, config: VSMModelConfig) -> None:
        super().__init__(config.llm, config.vision)
        self.config = config
        size = config.llm.hidden_size
        self.detector = config.detector.build()
        self.detection_query = _query_mlp(size, config.detector.query_size)
        self.mask_query = _query_mlp(size, config.cue_decoder.hidden_size)
        unit_variance_([layer for layer in self.mask_query if isinstance(layer, nn.Linear)])
        self.mask_head = config.cue_decoder.build(config.detector.hidden_size)

    def forward(self, batch: Batch) -> VSMOutput:
        hidden = self.hidden_states(batch)
        logits = self.supervised_logits(batch, hidden)
        if batch.detector_pixels is None or not batch.targets:
            return self._without_expressions(hidden, logits)
        states = self.query_states(batch, hidden)
        features = self.encode_detector(batch.detector_pixels)
        assert batch.expression_image is not None
        queries = self.detection_query(states)
        pred_logits, pred_boxes = self._locate(features, queries, batch.expression_image)
        pred_masks = self.decode_masks(features, states, batch.expression_image)
        return VSMOutput(logits, pred_logits, pred_boxes, pred_masks, queries)

    def _without_expressions(self, hidden: Tensor, logits: Tensor) -> VSMOutput:
        # The decoders still run, on zeros, so that every rank touches every module.
        detector = self.config.detector
        pixels = hidden.new_zeros(1, 3, detector.image_size, detector.image_size)
        features = self.encode_detector(pixels)
        index = torch.zeros(1, dtype=torch.long, device=hidden.device)
        pred_logits, pred_boxes = self.decode_boxes(features, hidden[:1, 0], index)
        pred_masks = self.decode_masks(features, hidden[:1, 0], index)
        idle = 0.0 * (pred_logits.sum() + pred_boxes.sum() + pred_masks.sum())
        return VSMOutput(
            logits + idle.to(logits.dtype), pred_logits[:0], pred_boxes[:0], pred_masks[:0]
        )

    def query_states(self, batch: Batch, hidden: Tensor | None = None) -> Tensor:
        """(E, D): the state that predicts `[LOC]`, one position before it (oddity 9)."""
        if hidden is None:
            hidden = self.hidden_states(batch)
        assert batch.loc_positions is not None
        return hidden.flatten(0, 1).index_select(0, batch.loc_positions)

    def encode_detector(self, pixels: Tensor) -> Tensor:
        """(M, 3, D, D) bytes, or normalized -> (M, G, G, C); frozen."""
        with torch.no_grad():
            return self.detector.encode(normalized(pixels).to(self.dtype))

    def decode_boxes(
        self, features: Tensor, states: Tensor, image: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """features: (M, G, G, C), states: (E, D), image: (E,) -> logits (E, Q), boxes (E, Q, 4).

        Without `image`, expression i looks at image i.
        """
        return self._locate(features, self.detection_query(states), image)

    def _locate(
        self, features: Tensor, queries: Tensor, image: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        chosen = features if image is None else features[image]
        logits = self.detector.predict_logits(chosen, queries)
        boxes = self.detector.predict_boxes(features)  # once an image: no query enters
        return logits, boxes if image is None else boxes[image]

    def decode_masks(self, features: Tensor, states: Tensor, image: Tensor | None = None) -> Tensor:
        """As `decode_boxes` -> (E, 4G, 4G) logits."""
        chosen = features if image is None else features[image]
        return self.mask_head(chosen, self.mask_query(states))

    def set_trainable(
        self, *, train_box_head: bool = False, train_image_projector: bool = False
    ) -> None:
        """Freeze what the paper freezes; LoRA is added separately (models.md section 2).

        train_image_projector: of a language model that has not learnt to see, as LLaVA has.
        """
        self.requires_grad_(False)
        self.llm.get_input_embeddings().requires_grad_(True)
        self.llm.lm_head.requires_grad_(True)
        for module in (self.detection_query, self.mask_query, self.detector.class_head):
            module.requires_grad_(True)
        decoder = self.mask_head
        decoder.feature_projection.requires_grad_(True)
        decoder.prompt_encoder.no_mask_embed.requires_grad_(True)
        decoder.mask_decoder.requires_grad_(True)
        decoder.mask_decoder.freeze_unused()
        if train_box_head:
            self.detector.box_head.requires_grad_(True)
        if train_image_projector:
            self.image_projector.requires_grad_(True)


def _query_mlp(size: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, out))
