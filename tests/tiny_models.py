"""Both real models at tiny sizes with random weights, and a tokenizer to go with them."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from seal.images.tiles import TilesConfig
from seal.models.parts.cue_decoder import CueDecoderConfig
from seal.models.parts.owlvit import OwlViTConfig
from seal.models.parts.projectors import ResamplerConfig
from seal.models.parts.router import RouterConfig
from seal.models.parts.vision import VisionConfig
from seal.models.vlm import LlmConfig
from seal.models.vqa import GranularityConfig, VQAModel, VQAModelConfig
from seal.models.vsm import VSM, VSMModelConfig
from seal.text.conversation import VQA as VQA_TEMPLATE
from seal.text.conversation import VSM as VSM_TEMPLATE
from seal.text.prompts import REFUSAL
from seal.text.tokenize import Tokenizer
from seal.text.tokens import IMAGE_END_TOKEN, IMAGE_START_TOKEN, LOC_TOKEN
from seal.text.train_tokenizer import train_tokenizer

CLIP = {
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
LLM = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 1024,
}


@functools.cache
def tokenizer() -> Tokenizer:
    folder = Path(tempfile.mkdtemp(prefix="tiny-tokenizer-"))
    words = "the red boat is most likely to appear on blue water, left or right of a mug."
    texts = [VQA_TEMPLATE.system, VSM_TEMPLATE.system, REFUSAL, words, "USER: ASSISTANT:"] * 4
    added = ["<im_patch>", IMAGE_START_TOKEN, IMAGE_END_TOKEN, LOC_TOKEN]
    return train_tokenizer(texts, 330, folder, added)


def vqa_model(seed: int = 0) -> VQAModel:
    torch.manual_seed(seed)
    return (
        VQAModelConfig(
            llm=LlmConfig(vocab_size=tokenizer().vocab_size, **LLM),
            vision=VisionConfig(**CLIP),
            resampler=ResamplerConfig(num_latents=2, depth=1, num_heads=2, head_size=8),
        )
        .build()
        .eval()
    )


def levelled_vqa_model(
    seed: int = 0,
    *,
    tiles: TilesConfig | None = None,
    router: RouterConfig | None = None,
    resampler: bool = False,
    context: int = 2048,
) -> VQAModel:
    """Of 1, 2, 4, 8 or 16 tokens a tile: AVG-LLaVA in small, or SEAL's with a resampler.

    A router drawn from seed 0 picks other levels for other pictures.
    """
    torch.manual_seed(seed)
    vision = VisionConfig(**CLIP | {"image_size": 56})
    short = ResamplerConfig(num_latents=2, depth=1, num_heads=2, head_size=8)
    llm = LLM | {"max_position_embeddings": context}
    return (
        VQAModelConfig(
            llm=LlmConfig(vocab_size=tokenizer().vocab_size, **llm),
            vision=vision,
            projector="linear" if resampler else "mlp2x_gelu",
            resampler=short if resampler else None,
            tiles=tiles,
            granularity=GranularityConfig.standard(vision),
            router=router,
            token_policy="router",
        )
        .build()
        .eval()
    )


def vsm_model(seed: int = 0) -> VSM:
    torch.manual_seed(seed)
    return (
        VSMModelConfig(
            llm=LlmConfig(vocab_size=tokenizer().vocab_size, **LLM),
            vision=VisionConfig(**CLIP),
            detector=OwlViTConfig(
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                image_size=32,
                patch_size=8,
                query_size=8,
            ),
            cue_decoder=CueDecoderConfig(hidden_size=16, num_heads=2, mlp_size=32),
            search_min_size=64,
        )
        .build()
        .eval()
    )


def blocks(width: int, height: int, seed: int = 0) -> Image.Image:
    """Six by six blocks of random colors: unlike noise, another picture for each seed."""
    colors = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(colors).resize((width, height), Image.Resampling.NEAREST)


def noise(width: int = 120, height: int = 90, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)
