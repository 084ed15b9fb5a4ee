"""Which block of the language model is read, and how large the smallest window is, by family.

A calibration (`seal eval/vicrop_layers`) on a handful of annotated images is worth more.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FamilyDefaults:
    """What is known of a family: tried layers by depth, and the tower's input size in pixels."""

    layers: dict[int, int]  # depth of the language model -> block, counted from 0
    base: int


# LLaVA-1.5, InstructBLIP, Qwen2.5-VL 3B (36 blocks) as in the paper's code; Qwen2.5-VL 7B (28) and
# Qwen3-VL 4B and 8B (36) as others found. The rest is by analogy, untried: LLaVA-NeXT and SEAL's
# VQA LLM hold the Vicuna of LLaVA-1.5, LLaVA-OneVision and InternVL3 a Qwen2 like Qwen2.5-VL 7B.
FAMILIES: dict[str, FamilyDefaults] = {
    "llava": FamilyDefaults({32: 14}, 336),
    "instructblip": FamilyDefaults({32: 15}, 224),
    "qwen2_5_vl": FamilyDefaults({36: 22, 28: 22}, 224),
    "qwen3_vl": FamilyDefaults({36: 23}, 224),
    "llava_next": FamilyDefaults({32: 14}, 336),
    "llava_onevision": FamilyDefaults({28: 22}, 384),
    "internvl": FamilyDefaults({28: 22}, 448),
    "seal": FamilyDefaults({32: 14}, 224),
}


def default_layer(family: str, num_layers: int) -> int:
    """The block to read: the tried one, or the one at the same fraction of the depth.

    Raises:
        ValueError: nothing is known of the family.
    """
    layers = family_defaults(family).layers
    if num_layers in layers:
        return layers[num_layers]
    depth, layer = next(iter(layers.items()))
    return min(round(layer / depth * num_layers), num_layers - 1)


def family_defaults(family: str) -> FamilyDefaults:
    """What is known of a family of models, by its `model_type`.

    Raises:
        ValueError: nothing is.
    """
    if family not in FAMILIES:
        raise ValueError(
            f"ViCrop does not know where models of type {family!r} look; it reads "
            f"{', '.join(FAMILIES)}: choose such an answer model, or search=none"
        )
    return FAMILIES[family]
