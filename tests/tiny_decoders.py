"""Tiny random decoders of every family, as Hugging Face makes them, and both models of each."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from mixed_batches import CLIP, OWL, SHORT

from seal.models.files.public_parts import from_parts
from seal.models.parts.cue_decoder import CueDecoderConfig
from seal.models.parts.projectors import ResamplerConfig
from seal.models.vlm import LlmConfig
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig

SIZES: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": None,
}
LLAMA3 = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
}  # fmt: skip
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0}
YARN["original_max_position_embeddings"] = 128
# Family -> its configuration class, and how a real model of it differs from LLaMA's defaults.
CONFIGS: dict[str, tuple[Any, dict[str, Any]]] = {
    "llama2": (hf.LlamaConfig, {"num_key_value_heads": 4}),
    "smollm2": (
        hf.LlamaConfig,
        {
            "tie_word_embeddings": True, "rms_norm_eps": 1e-5,
            "rope_parameters": {"rope_type": "default", "rope_theta": 100000.0},
        },
    ),
    "llama3": (hf.LlamaConfig, {"rope_parameters": LLAMA3, "rms_norm_eps": 1e-5}),
    "llama_biased": (hf.LlamaConfig, {"attention_bias": True}),
    "mistral": (hf.MistralConfig, {"head_dim": 16, "sliding_window": None}),
    "mistral_windowed": (hf.MistralConfig, {"head_dim": 8, "sliding_window": 128}),
    "qwen2": (hf.Qwen2Config, {"tie_word_embeddings": True, "rope_parameters": YARN}),
    "qwen3": (hf.Qwen3Config, {"head_dim": 16, "tie_word_embeddings": True}),
    "smollm3": (hf.SmolLM3Config, {"num_hidden_layers": 4, "tie_word_embeddings": True}),
    "olmo2": (hf.Olmo2Config, {}),
    "phi3": (
        hf.Phi3Config,
        {
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 0.5
            }
        },
    ),
}  # fmt: skip


def build(name: str, **changes: Any) -> Any:
    """The model by Hugging Face's own code; weights wide, so that logits differ visibly."""
    kind, own = CONFIGS[name]
    config = kind(**{**SIZES, **own, **changes}, attn_implementation="eager")
    torch.manual_seed(0)
    model = hf.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(std=0.2) if weight.dim() > 1 else weight.add_(
                0.1 * torch.randn_like(weight)
            )
    return model.eval()


@functools.cache
def folder(name: str) -> Path:
    """Its model folder, made once; do not write into it."""
    place = Path(tempfile.mkdtemp(prefix=f"tiny-{name}-"))
    build(name).save_pretrained(place)
    return place


@functools.cache
def clip_folder() -> Path:
    """A tower of the sizes of `mixed_batches.CLIP`."""
    config = hf.CLIPVisionConfig(**_vision(CLIP), hidden_act="quick_gelu", projection_dim=8)
    torch.manual_seed(1)
    place = Path(tempfile.mkdtemp(prefix="tiny-clip-"))
    hf.CLIPVisionModelWithProjection(config).save_pretrained(place)
    return place


@functools.cache
def owl_folder() -> Path:
    """A detector of the sizes of `mixed_batches.OWL`."""
    text = {"hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 1, "vocab_size": 9}
    config = hf.OwlViTConfig(
        text_config=text | {"intermediate_size": 8},
        vision_config={**_vision(OWL), "hidden_act": "quick_gelu"},
        projection_dim=OWL.query_size,
    )
    torch.manual_seed(2)
    place = Path(tempfile.mkdtemp(prefix="tiny-owl-"))
    hf.OwlViTForObjectDetection(config).save_pretrained(place)
    return place


def _vision(config: Any) -> dict[str, int]:
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    return {name: getattr(config, name) for name in (*names, "image_size", "patch_size")}


def vqa_model(name: str) -> Any:
    """The decoder in a VQA LLM, by the way a user's comes into one."""
    resampler = ResamplerConfig(num_latents=SHORT, depth=1, num_heads=2, head_size=4)
    llm = LlmConfig.of(folder(name))
    config = VQAModelConfig(llm=llm, vision=CLIP, resampler=resampler)
    return from_parts(config, llm=folder(name), clip=clip_folder()).eval()


def vsm_model(name: str) -> Any:
    """In a search model, whose image projector is new."""
    cue = CueDecoderConfig(hidden_size=16, depth=1, num_heads=2, mlp_size=16)
    llm = LlmConfig.of(folder(name))
    config = VSMModelConfig(llm=llm, vision=CLIP, detector=OWL, cue_decoder=cue)
    return from_parts(config, llm=folder(name), clip=clip_folder(), detector=owl_folder()).eval()
