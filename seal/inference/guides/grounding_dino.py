"""GroundingDINO: queries that read the phrase and the image together, each with a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL.Image import Resampling
from torch import Tensor, nn

from seal.geometry import Box
from seal.images import IMAGENET_COLORS
from seal.inference.guides.box_heat import box_heat
from seal.inference.guides.detector_pixels import Fit
from seal.inference.guides.features import Features
from seal.inference.guides.words_read import cut_to
from seal.search.config import SearchConfig
from seal.search.heatmap import GridHeat

MOST_BOXES = 200  # the surest, of which a map is made
SHORT, LONG = 800, 1333  # pixels of the sides it was trained with


class GroundingDino:
    """Text enters after the backbone, so of a crop the backbone's maps are what can be kept."""

    name = "grounding_dino"

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        model_name: str,
        short: int = SHORT,
        long: int = LONG,
    ) -> None:
        """model: `GroundingDinoForObjectDetection`, or the form of it that MMDetection trained."""
        self.model, self.tokenizer, self.model_name = model, tokenizer, model_name
        self.fit = Fit("keep", short, long, IMAGENET_COLORS, Resampling.BILINEAR)
        self.backbone = _Remembering(model.model.backbone)
        model.model.backbone = self.backbone
        marks = tokenizer.convert_tokens_to_ids([".", "?"])
        self.no_words = {*tokenizer.all_special_ids, *marks}

    def prompt(self, phrase: str) -> str:
        """Small letters and one period: others would end the phrase before its end."""
        words = phrase.lower().replace(".", " ").replace("?", " ").split()
        return f"{' '.join(words)}."

    def cut(self, prompt: str) -> str | None:
        """See `DetectorNetwork`."""
        return cut_to(self.tokenizer, prompt, self.model.config.max_text_len)

    def encode(self, pixels: Tensor) -> list[Features]:
        """The maps of each crop, (C, H, W) at each level of the backbone."""
        levels = self.backbone.maps(pixels)
        return [tuple(level[i].clone() for level in levels) for i in range(len(pixels))]

    def look(
        self, features: Sequence[Features], prompts: Sequence[str], size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """See `DetectorNetwork`; a query's score is that of its likeliest word."""
        read = self.tokenizer(
            list(prompts),
            padding=True,
            truncation=True,
            max_length=self.model.config.max_text_len,
            return_tensors="pt",
        ).to(self.model.device)
        levels = [torch.stack(level) for level in zip(*features, strict=True)]
        with self.backbone.showing(levels):
            out = self.model(
                # Its shape is all that is read of it: the maps are there.
                pixel_values=levels[0].new_zeros(1).expand(len(prompts), 3, size[1], size[0]),
                input_ids=read["input_ids"],
                attention_mask=read["attention_mask"],
            )
        words = read["attention_mask"].bool()
        for mark in self.no_words:
            words &= read["input_ids"] != mark
        logits = out.logits[..., : words.shape[1]].float()
        likeliest = logits.masked_fill(~words[:, None], float("-inf")).amax(-1)
        return out.pred_boxes, likeliest.sigmoid()

    def heat(
        self, scores: np.ndarray, boxes_cxcywh: np.ndarray, width: int, height: int
    ) -> GridHeat:
        """Its queries have no place of their own; their boxes do."""
        boxes, inside = self.fit.to_patch(boxes_cxcywh, width, height)
        scores = scores[inside]
        best = np.argsort(-scores, kind="stable")[:MOST_BOXES]
        surest = [Box(*map(float, boxes[i])) for i in best]
        return box_heat(surest, scores[best].tolist(), width, height)

    def search_config(self) -> SearchConfig:
        """Its demos keep boxes of 0.25 to 0.4."""
        return SearchConfig(
            confidence_high=0.4,
            confidence_low=0.25,
            instance_threshold=0.4,
            nms_iou=0.5,  # several queries may find the same thing
            cue_threshold=0.2,
            cue_threshold_min=0.1,
        )

    def settings(self) -> dict[str, Any]:
        return {
            "model": self.model_name,
            "model_type": self.model.config.model_type,
            "short_side": self.fit.short,
            "long_side": self.fit.long,
        }


class _Remembering(nn.Module):
    """In the backbone's place: gives the maps of crops that it has seen, and where they lie."""

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.conv_encoder = backbone.conv_encoder
        self.position_embedding = backbone.position_embedding
        self._shown: list[Tensor] = []

    def maps(self, pixels: Tensor) -> list[Tensor]:
        """(M, 3, H, W) -> (M, C, h, w) at each level."""
        found = self.conv_encoder.model(pixels, return_dict=True).feature_maps
        return list(found)

    def showing(self, levels: list[Tensor]) -> _Shown:
        """Within it, `forward` gives these."""
        return _Shown(self._shown, levels)

    def forward(
        self, pixel_values: Tensor, pixel_mask: Tensor
    ) -> tuple[list[tuple[Tensor, Tensor]], list[Tensor]]:
        """As the backbone's: maps with masks, and their positions, of all levels."""
        maps, places = [], []
        for level in self._shown:
            mask = F.interpolate(pixel_mask[None].float(), size=level.shape[-2:]).bool()[0]
            maps.append((level, mask))
            places.append(self.position_embedding(level, mask).to(level.dtype))
        return maps, places


class _Shown:
    """Puts maps where the backbone finds them, and takes them away again."""

    def __init__(self, place: list[Tensor], levels: list[Tensor]) -> None:
        self.place, self.levels = place, levels

    def __enter__(self) -> None:
        self.place[:] = self.levels

    def __exit__(self, *_: object) -> None:
        self.place.clear()
