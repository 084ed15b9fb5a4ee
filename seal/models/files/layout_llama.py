"""What all layouts of others have: LLaMA sizes in config.json, a CLIP tower, a Vicuna prompt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seal.models.files.model_config import config_to_dict, typed
from seal.models.files.shards import StoredTensor
from seal.models.parts.vision import VisionConfig
from seal.models.vlm import LlmConfig
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig

SIZES_KEY = "seal"  # every size, in a folder that was written here; theirs tell the LLM's alone
_EMBEDDINGS, _HEAD = "model.embed_tokens.weight", "lm_head.weight"
_REQUIRED = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
# Of LlmConfig: what their config.json tells, and what has the value of the first LLaMA in it.
_SIZES = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "max_position_embeddings", "rms_norm_eps", "bos_token_id", "eos_token_id",
)  # fmt: skip
_NOT_THEIRS = (
    "architecture", "num_key_value_heads", "head_size", "rope_theta", "rope_scaling",
    "attention_bias", "tie_word_embeddings",
)  # fmt: skip


def vocabulary_of(folder: Path, stored: Mapping[str, StoredTensor]) -> int:
    """Rows of the tables in the file, which know the size of the vocabulary best.

    Raises:
        ValueError: there are no word embeddings, or not as many rows in them as in the LM head.
    """
    rows = {key: sum(stored[key].shape[:1]) for key in (_EMBEDDINGS, _HEAD) if key in stored}
    if len(rows) < 2:
        lacks = _HEAD if _EMBEDDINGS in rows else _EMBEDDINGS
        raise ValueError(f"{folder} has no {lacks}: not a checkpoint of a language model")
    if rows[_EMBEDDINGS] != rows[_HEAD]:
        raise ValueError(
            f"{folder}: {_EMBEDDINGS} has {rows[_EMBEDDINGS]} rows, {_HEAD} {rows[_HEAD]}"
        )
    return rows[_EMBEDDINGS]


def llama_of(content: Mapping[str, Any], vocab_size: int) -> LlmConfig:
    """The sizes that config.json tells.

    Raises:
        ValueError: it tells of another kind of LLaMA, or a size is no number.
        KeyError: it lacks a size.
    """
    heads = content.get("num_attention_heads")
    if content.get("num_key_value_heads", heads) != heads:
        raise ValueError(
            f"num_key_value_heads={content['num_key_value_heads']} differs from "
            f"num_attention_heads={heads}: not the LLaMA these models are made of"
        )
    for key, published in (("rope_scaling", None), ("rope_theta", 10000), ("hidden_act", "silu")):
        if content.get(key, published) != published:
            raise ValueError(f"{key}={content[key]} is not what the published models have")
    for key in _REQUIRED:
        content[key]
    told = {key: content[key] for key in _SIZES if key in content}
    sizes = {"max_position_embeddings": 2048, **told, "vocab_size": vocab_size}
    llm: LlmConfig = typed(LlmConfig, sizes, "")
    return llm


def shared_settings(config: VQAModelConfig | VSMModelConfig) -> dict[str, Any]:
    """The part of config.json that is the same in all layouts.

    Raises:
        ValueError: the language model, the tower or the prompt is not of the kind they have.
    """
    llm = {key: getattr(config.llm, key) for key in _SIZES}
    plain = LlmConfig(**llm)
    if other := [f for f in _NOT_THEIRS if getattr(config.llm, f) != getattr(plain, f)]:
        raise no_place([f"{key}={getattr(config.llm, key)}" for key in other])
    return {
        **llm,
        "num_key_value_heads": config.llm.num_attention_heads,
        "hidden_act": "silu",
        "pad_token_id": 0,
        "tie_word_embeddings": False,
        "mm_hidden_size": config.vision.hidden_size,
        "mm_vision_select_layer": config.vision.feature_layer,
        "mm_vision_select_feature": "patch",
        "mm_use_im_patch_token": False,
        "use_mm_proj": True,
        "tune_mm_mlp_adapter": False,
        SIZES_KEY: config_to_dict(config),
    }


def other_parts(config: VQAModelConfig | VSMModelConfig) -> list[str]:
    """What no code of theirs builds: it has a CLIP, of any size, and a Vicuna prompt."""
    vision: VisionConfig = config.vision
    other = [
        f"vision.{name}={value}"
        for name, value, theirs in (
            ("family", vision.family, "clip"),
            ("pretrained_size", vision.position_size, vision.image_size),
            ("hidden_act", vision.activation, "quick_gelu"),
        )
        if value != theirs
    ]
    if config.prompt_style != "vicuna":
        other.append(f"prompt_style={config.prompt_style}")
    return other


def no_place(settings: list[str]) -> ValueError:
    """The error that tells what their code cannot be told."""
    return ValueError(
        f"the authors' code has no place for {', '.join(settings)}: write our layout (to=ours)"
    )
