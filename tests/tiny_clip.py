"""A CLIP of Hugging Face's with random weights."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPModel


def write_clip(folder: Path, seed: int = 0) -> Path:
    """A folder that `CLIPModel.from_pretrained` reads: 28 pixels a side, 8 features."""
    vision = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    }
    text = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": 50,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    torch.manual_seed(seed)
    config = CLIPConfig(vision_config=vision, text_config=text, projection_dim=8)
    CLIPModel(config).save_pretrained(folder)
    return folder
