"""Named sizes of both models: 7b is the published one and every dataclass's default."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from seal.images.tiles import TilesConfig
from seal.models.parts.cue_decoder import CueDecoderConfig
from seal.models.parts.owlvit import OwlViTConfig
from seal.models.parts.projectors import ResamplerConfig
from seal.models.parts.router import RouterConfig
from seal.models.parts.vision import VisionConfig
from seal.models.vlm import LlmConfig
from seal.models.vqa import GranularityConfig, VQAModelConfig
from seal.models.vsm import VSMModelConfig

LLAMA3_PIECES = 128256
# Pieces of the vocabulary, then <im_patch> <im_start> <im_end> [LOC] in a search model.
RELEASED_PIECES, MINIATURE_PIECES, NUM_ADDED_TOKENS = 32000, 640, 4
_Config = TypeVar("_Config")


def vqa_preset(size: str) -> VQAModelConfig:
    """Every size of the VQA LLM; see `VQA_PRESETS`."""
    return _choose(VQA_PRESETS, size)


def vsm_preset(size: str) -> VSMModelConfig:
    """Every size of the search model; see `VSM_PRESETS`."""
    return _choose(VSM_PRESETS, size)


def preset_name(config: VQAModelConfig | VSMModelConfig) -> str | None:
    """The preset `config` is; None: sizes of its own."""
    prefix, presets = (
        ("vqa", VQA_PRESETS) if isinstance(config, VQAModelConfig) else ("vsm", VSM_PRESETS)
    )
    sizes = [size for size, build in presets.items() if build() == config]
    return f"{prefix}_{sizes[0]}" if sizes else None


def _choose(presets: dict[str, Callable[[], _Config]], size: str) -> _Config:
    if size not in presets:
        raise ValueError(f"there is no preset {size!r}; known: {', '.join(presets)}")
    return presets[size]()


def _llm_13b(vocab_size: int) -> LlmConfig:
    return LlmConfig(
        vocab_size=vocab_size,
        hidden_size=5120,
        intermediate_size=13824,
        num_hidden_layers=40,
        num_attention_heads=40,
    )


def _llm_qwen3_4b() -> LlmConfig:
    return LlmConfig(
        architecture="qwen3",
        vocab_size=151936,  # more rows than its tokenizer has tokens: added ones fit in
        hidden_size=2560,
        intermediate_size=9728,
        num_hidden_layers=36,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_size=128,
        max_position_embeddings=40960,
        rope_theta=1e6,
        tie_word_embeddings=True,
        bos_token_id=151643,
        eos_token_id=151645,
    )


def _llm_llama3_8b(vocab_size: int) -> LlmConfig:
    return LlmConfig(
        vocab_size=vocab_size,
        intermediate_size=14336,
        num_key_value_heads=8,
        max_position_embeddings=131072,
        rms_norm_eps=1e-5,
        rope_theta=5e5,
        rope_scaling={
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        bos_token_id=128000,
        eos_token_id=128009,
    )


def _vision_336() -> VisionConfig:
    return VisionConfig(image_size=336)


def _llm_miniature(vocab_size: int, num_hidden_layers: int) -> LlmConfig:
    return LlmConfig(
        vocab_size=vocab_size,
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=num_hidden_layers,
        num_attention_heads=4,
        max_position_embeddings=1024,
    )


def _vision_miniature() -> VisionConfig:
    return VisionConfig(
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=112,
        patch_size=14,
    )


def _vqa_miniature() -> VQAModelConfig:
    return VQAModelConfig(
        llm=_llm_miniature(MINIATURE_PIECES, 3),
        vision=_vision_miniature(),
        resampler=ResamplerConfig(num_latents=8, depth=2, num_heads=4, head_size=24, expansion=2),
        token_policy="consistent",
    )


def _vsm_miniature() -> VSMModelConfig:
    return VSMModelConfig(
        llm=_llm_miniature(MINIATURE_PIECES + NUM_ADDED_TOKENS, 2),
        vision=_vision_miniature(),
        detector=OwlViTConfig(
            hidden_size=96,
            intermediate_size=192,
            num_hidden_layers=4,
            num_attention_heads=4,
            image_size=128,
            patch_size=8,
            query_size=64,
        ),
        cue_decoder=CueDecoderConfig(hidden_size=64, depth=2, num_heads=4, mlp_size=128),
        search_min_size=128,
        search_min_size_scale=8.0,
    )


def _avg(llm: LlmConfig) -> VQAModelConfig:
    """AVG-LLaVA: LLaVA-NeXT with levels and a router."""
    return VQAModelConfig(
        llm=llm,
        vision=_vision_336(),
        projector="mlp2x_gelu",
        resampler=None,
        tiles=TilesConfig(),
        granularity=GranularityConfig(),
        router=RouterConfig(),
        token_policy="router",
    )


def _avg_miniature() -> VQAModelConfig:
    vision = _vision_miniature()
    return VQAModelConfig(
        llm=_llm_miniature(MINIATURE_PIECES, 3),
        vision=vision,
        projector="mlp2x_gelu",
        resampler=None,
        tiles=TilesConfig(),
        granularity=GranularityConfig.standard(vision),
        router=RouterConfig(num_heads=4),
        token_policy="router",
    )


def _vqa_small() -> VQAModelConfig:
    return VQAModelConfig(
        llm=_llm_small(),
        vision=_vision_small(),
        resampler=ResamplerConfig(num_latents=32, depth=2, num_heads=4, head_size=16, expansion=2),
    )


def _vsm_small() -> VSMModelConfig:
    return VSMModelConfig(
        llm=_llm_small(),
        vision=_vision_small(),
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


def _llm_small() -> LlmConfig:
    # The vocabulary is 8 times the hidden size, as in 7B, so that the head weighs as much.
    return LlmConfig(
        vocab_size=3000,
        hidden_size=384,
        intermediate_size=1032,
        num_hidden_layers=6,
        num_attention_heads=6,
    )


def _vision_small() -> VisionConfig:
    return VisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=224,
        patch_size=14,
    )


VQA_PRESETS: dict[str, Callable[[], VQAModelConfig]] = {
    "7b": VQAModelConfig,
    "13b": lambda: VQAModelConfig(llm=_llm_13b(RELEASED_PIECES)),
    "qwen3_4b": lambda: VQAModelConfig(
        llm=_llm_qwen3_4b(), vision=_vision_336(), prompt_style="chat"
    ),
    "llama3_8b": lambda: VQAModelConfig(
        llm=_llm_llama3_8b(LLAMA3_PIECES), vision=_vision_336(), prompt_style="chat"
    ),
    "miniature": _vqa_miniature,
    "avg_7b": lambda: _avg(LlmConfig(max_position_embeddings=4096, rms_norm_eps=1e-5)),
    "avg_13b": lambda: _avg(
        replace(_llm_13b(RELEASED_PIECES), max_position_embeddings=4096, rms_norm_eps=1e-5)
    ),
    "avg_miniature": _avg_miniature,
    # Published numbers of tokens, narrow enough to train on a CPU: what sharing and packing save
    # depends on lengths.
    "small": _vqa_small,
}
VSM_PRESETS: dict[str, Callable[[], VSMModelConfig]] = {
    "7b": VSMModelConfig,
    "13b": lambda: VSMModelConfig(llm=_llm_13b(RELEASED_PIECES + NUM_ADDED_TOKENS)),
    "qwen3_4b": lambda: VSMModelConfig(
        llm=_llm_qwen3_4b(), vision=_vision_336(), prompt_style="chat"
    ),
    "llama3_8b": lambda: VSMModelConfig(
        llm=_llm_llama3_8b(LLAMA3_PIECES + NUM_ADDED_TOKENS),
        vision=_vision_336(),
        prompt_style="chat",
    ),
    "miniature": _vsm_miniature,
    "small": _vsm_small,
}
