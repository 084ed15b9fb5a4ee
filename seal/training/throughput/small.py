"""Both models with the published numbers of tokens, narrow enough to train on a CPU.

What sharing and packing save depends on lengths, and these are the real ones.
"""

from __future__ import annotations

from seal.models.parts.cue_decoder import CueDecoderConfig
from seal.models.parts.owlvit import OwlViTConfig
from seal.models.parts.projectors import ResamplerConfig
from seal.models.parts.vision import ClipConfig
from seal.models.vlm import LlmConfig
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig


def small_vqa() -> VQAModelConfig:
    return VQAModelConfig(
        llm=_llm(),
        clip=_clip(),
        resampler=ResamplerConfig(num_latents=32, depth=2, num_heads=4, head_size=16, expansion=2),
    )


def small_vsm() -> VSMModelConfig:
    return VSMModelConfig(
        llm=_llm(),
        clip=_clip(),
        detector=OwlViTConfig(
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            image_size=256,
            patch_size=16,
            query_size=64,
        ),
        cue_decoder=CueDecoderConfig(hidden_size=32, depth=1, num_heads=2, mlp_size=64),
    )


def _llm() -> LlmConfig:
    # The vocabulary is 8 times the hidden size, as in 7B, so that the head weighs as much.
    return LlmConfig(
        vocab_size=3000,
        hidden_size=384,
        intermediate_size=1032,
        num_hidden_layers=6,
        num_attention_heads=6,
    )


def _clip() -> ClipConfig:
    return ClipConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=224,
        patch_size=14,
    )
