"""OWL-ViT and OWLv2: a candidate for each cell of a grid, scored by its likeness to a phrase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL.Image import Resampling
from torch import Tensor

from seal.inference.guides.detector_heat import grid_heat
from seal.inference.guides.detector_pixels import Fit
from seal.inference.guides.features import Features
from seal.inference.guides.words_read import cut_to
from seal.search.config import SearchConfig
from seal.search.heatmap import GridHeat

MOST_PHRASES = 4096  # whose embeddings are kept


class Owl:
    """The network of either family; the two differ in how a picture is made square."""

    name = "owlv2"

    def __init__(self, model: Any, tokenizer: Any, *, model_name: str) -> None:
        """model: `OwlViTForObjectDetection` or `Owlv2ForObjectDetection`."""
        self.model, self.tokenizer, self.model_name = model, tokenizer, model_name
        config = model.config
        self.base = model.owlv2 if config.model_type == "owlv2" else model.owlvit
        vision = config.vision_config
        self.grid = vision.image_size // vision.patch_size
        self.max_tokens = config.text_config.max_position_embeddings
        padded = config.model_type == "owlv2"
        self.fit = Fit(
            "pad" if padded else "stretch",
            vision.image_size,
            smooth=Resampling.BILINEAR if padded else Resampling.BICUBIC,
        )
        self._phrases: dict[str, Tensor] = {}

    def prompt(self, phrase: str) -> str:
        return f"a photo of a {phrase}"

    def cut(self, prompt: str) -> str | None:
        """See `DetectorNetwork`; the tower has a fixed number of places."""
        return cut_to(self.tokenizer, prompt, self.max_tokens)

    def encode(self, pixels: Tensor) -> list[Features]:
        """Of each crop: (G * G, C) features and (G * G, 4) boxes, which no phrase changes."""
        maps, _ = self.model.image_embedder(pixel_values=pixels)
        features = maps.flatten(1, 2)
        boxes = self.model.box_predictor(features, maps)
        # Copies: views would keep the whole batch as long as any crop of it.
        return [(f.clone(), b.clone()) for f, b in zip(features, boxes, strict=True)]

    def look(
        self, features: Sequence[Features], prompts: Sequence[str], size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """See `DetectorNetwork`."""
        shown = torch.stack([crop[0] for crop in features])
        boxes = torch.stack([crop[1] for crop in features])
        logits, _ = self.model.class_predictor(
            image_feats=shown, query_embeds=self._embedded(prompts)[:, None]
        )
        return boxes, logits[..., 0].float().sigmoid()

    def heat(
        self, scores: np.ndarray, boxes_cxcywh: np.ndarray, width: int, height: int
    ) -> GridHeat:
        """Scores stand where their cells look; over the padding there is no patch."""
        grid = scores.reshape(self.grid, self.grid)
        return grid_heat(grid, width, height, self.fit.frame(width, height))

    def search_config(self) -> SearchConfig:
        """A score of 0.1 to 0.2 is what users of OWL keep; 0.3 is taken as sure here."""
        return SearchConfig(
            confidence_high=0.3,
            confidence_low=0.1,
            instance_threshold=0.3,
            nms_iou=0.5,  # neighboring cells see the same thing
            cue_threshold=0.1,
            cue_threshold_min=0.03,
        )

    def settings(self) -> dict[str, Any]:
        return {
            "model": self.model_name,
            "model_type": self.model.config.model_type,
            "image_size": self.fit.short,
        }

    def _embedded(self, prompts: Sequence[str]) -> Tensor:
        """(E, D) unit vectors; each prompt is read once, as far as `cut` says."""
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._phrases]
        if new:
            if len(self._phrases) + len(new) > MOST_PHRASES:
                kept = {prompt: self._phrases[prompt] for prompt in prompts if prompt not in new}
                self._phrases = kept
            read = self.tokenizer(
                new,
                padding="max_length",
                truncation=True,
                max_length=self.max_tokens,
                return_tensors="pt",
            ).to(self.model.device)
            out = self.base.text_model(
                input_ids=read["input_ids"], attention_mask=read["attention_mask"]
            )
            vectors = self.base.text_projection(out.pooler_output)
            vectors = vectors / vectors.norm(dim=-1, keepdim=True)
            self._phrases |= zip(new, vectors.unbind(0), strict=True)
        return torch.stack([self._phrases[prompt] for prompt in prompts])
