"""The layouts of the two released SEAL models: what config.json tells, and our configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seal.models.files.layout_llama import no_place, other_parts, shared_settings
from seal.models.files.shards import StoredTensor
from seal.models.parts.owlvit import OwlViTConfig
from seal.models.parts.vision import VisionConfig
from seal.models.vlm import LlmConfig
from seal.models.vqa import VQAModelConfig
from seal.models.vsm import VSMModelConfig

VQA_TYPE, VSM_TYPE = "llava_search", "llava"  # `model_type` of their config.json
_CLIP = "openai/clip-vit-large-patch14"
_QUERY = "model.text_hidden_fcs_det.0.2.weight"  # the last layer of the query MLP of the boxes


def read_vqa(
    content: Mapping[str, Any], llm: LlmConfig, stored: Mapping[str, StoredTensor]
) -> VQAModelConfig:
    """The VQA LLM: the language model's sizes are told, the published ones are beside it."""
    return VQAModelConfig(llm=llm, vision=_vision(content))


def read_vsm(
    content: Mapping[str, Any], llm: LlmConfig, stored: Mapping[str, StoredTensor]
) -> VSMModelConfig:
    """The search model, likewise."""
    query = stored.get(_QUERY)  # as with the vocabulary, the file knows best
    width = OwlViTConfig().query_size if query is None else query.shape[0]
    return VSMModelConfig(llm=llm, vision=_vision(content), detector=OwlViTConfig(query_size=width))


def write_seal(config: VQAModelConfig | VSMModelConfig) -> dict[str, Any]:
    """config.json as their code reads it.

    Raises:
        ValueError: the model has a part that their code does not build.
    """
    shared = shared_settings(config)
    other = other_parts(config)
    if isinstance(config, VQAModelConfig):
        other += [f"projector={config.projector}"] * (config.projector != "linear")
        parts = ("tiles", "granularity", "router")
        other += [name for name in parts if getattr(config, name) is not None]
    elif config.detector.family != "owlvit":
        other.append(f"detector.family={config.detector.family}")
    if other:
        raise no_place(other)
    shared |= {"mm_vision_tower": _CLIP, "image_grid_pinpoints": None}
    if isinstance(config, VQAModelConfig):
        return shared | {
            "model_type": VQA_TYPE,
            "mm_projector_type": "linear",
            "object_mm_projector_type": "perceiver",
            "mm_use_im_start_end": False,
            "freeze_mm_mlp_adapter": False,
            "image_aspect_ratio": "pad",
        }
    return shared | {
        "model_type": VSM_TYPE,
        "vision_tower": _CLIP,  # their search model reads this one
        "mm_use_im_start_end": True,
        "image_aspect_ratio": "square",
        "freeze_mm_mlp_adapter": True,
        "pretrain_mm_mlp_adapter": None,
        "train_mask_decoder": True,
        "out_dim": config.detector.query_size,
    }


def _vision(content: Mapping[str, Any]) -> VisionConfig:
    return VisionConfig(feature_layer=content.get("mm_vision_select_layer", -2))
