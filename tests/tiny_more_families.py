"""More families than every run asks of, built as in `tiny_families`; tests of them are slow."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import transformers as hf
from tiny_families import (
    CHATML,
    QWEN,
    QWEN_IMAGE,
    ROLES,
    SMALL,
    TEXT,
    TURNS,
    processor,
    qwen_tokens,
    tokenizer,
)

ROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}


def _qwen2_vl(place: Path) -> Any:
    made = tokenizer(place, QWEN)
    images = hf.Qwen2VLImageProcessorPil(
        size={"shortest_edge": 4 * 28 * 28, "longest_edge": 16 * 28 * 28}
    )
    processor(place, "Qwen2VLProcessor", images, CHATML, QWEN_IMAGE)
    return hf.Qwen2VLForConditionalGeneration(
        hf.Qwen2VLConfig(
            text_config={**TEXT, "vocab_size": len(made), "rope_parameters": ROPE},
            vision_config={
                "depth": 2, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2,
            },
            **qwen_tokens(made),
        )
    )  # fmt: skip


def _glm4v(place: Path) -> Any:
    tokens = {
        "image_token_id": "<|image|>", "video_token_id": "<|video|>",
        "image_start_token_id": "<|begin_of_image|>", "image_end_token_id": "<|end_of_image|>",
        "video_start_token_id": "<|begin_of_video|>", "video_end_token_id": "<|end_of_video|>",
    }  # fmt: skip
    made = tokenizer(place, ["<|im_start|>", "<|im_end|>", *tokens.values()])
    images = hf.Glm4vImageProcessorPil(
        size={"shortest_edge": 4 * 28 * 28, "longest_edge": 32 * 28 * 28}
    )
    shown = "<|begin_of_image|><|image|><|end_of_image|>"
    processor(place, "Glm4vProcessor", images, CHATML, shown)
    rope = {**ROPE, "partial_rotary_factor": 1.0}
    return hf.Glm4vForConditionalGeneration(
        hf.Glm4vConfig(
            text_config={**TEXT, "vocab_size": len(made), "rope_parameters": rope},
            vision_config={
                "depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2,
                "out_hidden_size": 32, "image_size": 56,
            },
            **{name: made.convert_tokens_to_ids(token) for name, token in tokens.items()},
        )
    )  # fmt: skip


def _idefics2(place: Path) -> Any:
    """Pictures of several shapes in one batch, and a text model with a sliding window."""
    made = tokenizer(place, ["<image>", "<fake_token_around_image>", "<end_of_utterance>"])
    images = hf.Idefics2ImageProcessorPil(
        size={"shortest_edge": 28, "longest_edge": 56}, do_image_splitting=False
    )
    processor(place, "Idefics2Processor", images, ROLES, "<image>", image_seq_len=4)
    return hf.Idefics2ForConditionalGeneration(
        hf.Idefics2Config(
            vision_config={**SMALL, "image_size": 56, "patch_size": 7},
            perceiver_config={
                "hidden_size": 32, "resampler_n_latents": 4, "resampler_depth": 1,
                "resampler_n_heads": 2, "num_key_value_heads": 1, "resampler_head_dim": 8,
            },
            text_config={
                **TEXT, "model_type": "mistral", "vocab_size": len(made), "sliding_window": 20,
                "pad_token_id": 0,
            },
            image_token_id=made.convert_tokens_to_ids("<image>"),
        )
    )  # fmt: skip


def _aya_vision(place: Path) -> Any:
    tokens = ["<image>", "<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_LINE_BREAK|>"]
    made = tokenizer(place, [*tokens, "<|IMG_PATCH|>", "TILE", "TILE_GLOBAL"])
    images = hf.GotOcr2ImageProcessorPil(
        size={"height": 28, "width": 28}, crop_to_patches=True, max_patches=4
    )
    own = {"patch_size": 14, "img_size": 28, "downsample_factor": 1}
    processor(place, "AyaVisionProcessor", images, ROLES, "<image>", **own)
    return hf.AyaVisionForConditionalGeneration(
        hf.AyaVisionConfig(
            vision_config={
                **SMALL, "image_size": 28, "patch_size": 7, "vision_use_head": False,
                "model_type": "siglip_vision_model",
            },
            text_config={
                **TEXT, "model_type": "cohere2", "vocab_size": len(made), "sliding_window": 16,
                "head_dim": 8,
            },
            downsample_factor=2, alignment_intermediate_size=32,
            image_token_index=made.convert_tokens_to_ids("<|IMG_PATCH|>"),
        )
    )  # fmt: skip


def _gemma4(place: Path) -> Any:
    """Later layers read the keys of earlier ones; its processor takes sound as well."""
    names = {
        "boi_token": "<|image>", "eoi_token": "<image|>", "image_token": "<|image|>",
        "audio_token": "<|audio|>", "boa_token": "<|audio>", "eoa_token": "<audio|>",
    }  # fmt: skip
    made = tokenizer(place, ["<start_of_turn>", "<end_of_turn>", *names.values()], **names)
    images = hf.Gemma4ImageProcessorPil(patch_size=4, max_soft_tokens=70, pooling_kernel_size=3)
    processor(place, "Gemma4Processor", images, TURNS, "<|image|>")
    parts = {
        "image_processor": json.loads(images.to_json_string()),
        "feature_extractor": json.loads(hf.Gemma4AudioFeatureExtractor().to_json_string()),
    }
    told = {"processor_class": "Gemma4Processor", "image_seq_length": 70, **parts}
    (place / "processor_config.json").write_text(json.dumps(told))
    text = {
        **TEXT, "num_hidden_layers": 4, "num_kv_shared_layers": 2, "head_dim": 8,
        "global_head_dim": 8, "vocab_size": len(made), "vocab_size_per_layer_input": len(made),
        "hidden_size_per_layer_input": 8, "sliding_window": 16,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "use_bidirectional_attention": "vision",
    }  # fmt: skip
    vision = {**SMALL, "patch_size": 4, "head_dim": 8, "num_key_value_heads": 2}
    ids = {f"{name}_id": made.convert_tokens_to_ids(token) for name, token in names.items()}
    ids["eoa_token_index"] = ids.pop("eoa_token_id")
    return hf.Gemma4ForConditionalGeneration(
        hf.Gemma4Config(
            text_config=text, audio_config=None, **ids,
            vision_config={**vision, "pooling_kernel_size": 3, "position_embedding_size": 64},
        )
    )  # fmt: skip


MORE: dict[str, Callable[[Path], Any]] = {
    "qwen2_vl": _qwen2_vl,
    "glm4v": _glm4v,
    "idefics2": _idefics2,
    "aya_vision": _aya_vision,
    "gemma4": _gemma4,
}
