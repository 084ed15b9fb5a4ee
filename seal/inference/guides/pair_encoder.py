"""A CLIP or SigLIP of Hugging Face: pictures and texts that match point the same way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from safetensors import SafetensorError
from torch import Tensor
from transformers import MODEL_MAPPING, AutoConfig, AutoModel, AutoTokenizer

# See `seal.inference.hf.processor`: pictures always go through PIL.
from transformers.models.auto.image_processing_auto import AutoImageProcessor

from seal.images import pad_to_square
from seal.inference.device import existing_device
from seal.inference.hf.refusals import first_line, not_had, require_all_weights, weights_refused


class PairEncoder:
    """Embeds pictures and texts, and tells how well they match."""

    def __init__(self, model: Any, image_processor: Any, tokenizer: Any, name: str) -> None:
        """model: with `get_image_features`, `get_text_features` and `logit_scale`."""
        self.model = model.eval()
        self.image_processor = image_processor
        self.tokenizer = tokenizer
        self.name = name
        # SigLIP was trained to judge each pair by itself, CLIP to choose among texts.
        self.judges_pairs = getattr(model, "logit_bias", None) is not None

    @property
    def side(self) -> int:
        """Pixels a side of the square that the vision tower sees."""
        vision = self.model.config.vision_config
        if (size := getattr(vision, "image_size", None)) is not None:
            return int(size)
        return int(vision.patch_size * vision.num_patches**0.5)

    @torch.inference_mode()
    def images(self, pictures: Sequence[Image]) -> Tensor:
        """(N, D) float32 of length 1. A picture that is no square is padded to one."""
        squares = [pad_to_square(picture)[0] for picture in pictures]
        inputs = self.image_processor(images=squares, return_tensors="pt")
        placed = {name: value.to(self.model.device) for name, value in inputs.items()}
        placed["pixel_values"] = placed["pixel_values"].to(self.model.dtype)
        return _unit(self.model.get_image_features(**placed))

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """(N, D) float32 of length 1. What a text has beyond the model's longest is not read."""
        longest = self.model.config.text_config.max_position_embeddings
        inputs = self.tokenizer(
            [text.lower() for text in texts],
            # SigLIP was trained on texts of one length; of CLIP's padding nothing is read.
            padding="max_length" if self.judges_pairs else True,
            max_length=longest,
            truncation=True,
            return_tensors="pt",
        )
        names = ("input_ids",) if self.judges_pairs else ("input_ids", "attention_mask")
        placed = {name: inputs[name].to(self.model.device) for name in names}
        return _unit(self.model.get_text_features(**placed))

    @torch.inference_mode()
    def scores(self, pictures: Tensor, text: Tensor, neutral: Tensor) -> np.ndarray:
        """(N,) float32 in [0, 1]: how sure it is that each picture shows the text.

        pictures: (N, D); text, neutral: (D,). SigLIP's own sigmoid; of CLIP the softmax of the text
        against a neutral one, which is the sigmoid of how much better it matches.
        """
        scale = self.model.logit_scale.exp().float()
        if self.judges_pairs:
            logits = pictures @ text * scale + self.model.logit_bias.float()
        else:
            logits = pictures @ (text - neutral) * scale
        scores: np.ndarray = logits.reshape(-1).sigmoid().cpu().numpy()
        if not np.isfinite(scores).all():
            raise FloatingPointError(
                f"{self.name} gives numbers that are not finite in {self.model.dtype}; load it "
                "with dtype=bfloat16 or float32"
            )
        return scores


def load_pair_encoder(
    name: str | Path, *, device: str | None = None, dtype: torch.dtype | None = None
) -> PairEncoder:
    """The CLIP or SigLIP `name`, a folder or a hub id.

    Args:
        device: None is the first GPU if there is one.
        dtype: None is float32 on a CPU, else bfloat16.

    Raises:
        ValueError: it is no such model, cannot be had, or holds no safetensors; in one line.
    """
    name = str(name)
    place = existing_device(device)
    if dtype is None:
        dtype = torch.float32 if torch.device(place).type == "cpu" else torch.bfloat16
    try:
        config = AutoConfig.from_pretrained(name)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ValueError(not_had(name, error)) from error
    kind: Any = MODEL_MAPPING.get(type(config), None)
    if not all(hasattr(kind, each) for each in ("get_image_features", "get_text_features")):
        raise ValueError(
            f"{name} is a {config.model_type} model, which matches no pictures with texts; take a "
            "CLIP or SigLIP, for example google/siglip2-base-patch16-224"
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
        processor = AutoImageProcessor.from_pretrained(name, backend="pil")
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise ValueError(
            f"{name}: its processor cannot be loaded ({first_line(error)}); the folder lacks "
            "tokenizer or processor files: fetch it again"
        ) from error
    try:
        read: Any = AutoModel.from_pretrained(
            name, dtype=dtype, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        raise ValueError(weights_refused(name, error)) from error
    model, told = read
    if not hasattr(model, "logit_scale"):
        raise ValueError(
            f"{name} ({config.model_type}) has no logit_scale to weigh a match by; take a CLIP or "
            "SigLIP"
        )
    require_all_weights(name, told)
    return PairEncoder(model.to(place), processor, tokenizer, name)


def _unit(features: Any) -> Tensor:
    """transformers 5 gives an output with the features in it, 4 the features."""
    found: Tensor = getattr(features, "pooler_output", features)
    return torch.nn.functional.normalize(found.float(), dim=-1)
