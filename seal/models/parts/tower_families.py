"""What differs between vision towers: the library's class, its colors, what precedes patches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from seal.images import CLIP_COLORS, IMAGENET_COLORS, Normalization


@dataclass(frozen=True, slots=True)
class TowerFamily:
    """One kind of vision transformer, of square pictures cut into square patches."""

    build: Callable[..., nn.Module]  # of the sizes that `VisionTower` names
    normalization: Normalization
    hidden_act: str  # of its public models
    has_class_token: bool
    cuts_remainder: bool  # trained on sizes that are no multiple of the patch: the rest is not seen
    layers: str  # where the library keeps them


def _clip(*, num_registers: int, **sizes: Any) -> nn.Module:
    return CLIPVisionModel(CLIPVisionConfig(**sizes, layer_norm_eps=1e-5))


def _siglip(*, num_registers: int, **sizes: Any) -> nn.Module:
    # Without the head that pools: matching with texts is what it is for.
    return SiglipVisionModel(
        SiglipVisionConfig(**sizes, layer_norm_eps=1e-6, vision_use_head=False)
    )


def _dinov2(*, num_registers: int, intermediate_size: int, **sizes: Any) -> nn.Module:
    sizes |= {"mlp_ratio": intermediate_size // sizes["hidden_size"], "layer_norm_eps": 1e-6}
    if num_registers:
        return Dinov2WithRegistersModel(
            Dinov2WithRegistersConfig(**sizes, num_register_tokens=num_registers)
        )
    return Dinov2Model(Dinov2Config(**sizes))


FAMILIES = {
    "clip": TowerFamily(
        _clip, CLIP_COLORS, "quick_gelu",
        has_class_token=True, cuts_remainder=False, layers="encoder.layers",
    ),
    # SigLIP, and SigLIP 2 of one resolution, which has the same layers.
    "siglip": TowerFamily(
        _siglip, Normalization((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), "gelu_pytorch_tanh",
        has_class_token=False, cuts_remainder=True, layers="encoder.layers",
    ),
    # ImageNet's colors.
    "dinov2": TowerFamily(
        _dinov2, IMAGENET_COLORS, "gelu",
        has_class_token=True, cuts_remainder=False, layers="encoder.layer",
    ),
}  # fmt: skip
