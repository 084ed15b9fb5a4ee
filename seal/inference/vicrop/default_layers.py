"""Which block of a family's language model is read, and how its maps are used.

A calibration (`seal eval/vicrop_layers`) on a handful of annotated images is worth more.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FamilyDefaults:
    """What is known of a family."""

    layers: dict[int, int]  # depth of the language model -> block, counted from 0
    base: int  # side of the smallest window in image pixels: the tower's input size
    # Least map of the general question, as a share of its mean: near-zero denominators explode.
    floor: float = 0.0
    shrinks: bool = True  # every image to one size; others see more of a larger one


# LLaVA-1.5, InstructBLIP, Qwen2.5-VL 3B (36 blocks) as in the paper's code; Qwen2.5-VL 7B (28) and
# Qwen3-VL 4B and 8B (36) as others found. The rest is by analogy, untried: LLaVA-NeXT and SEAL's
# VQA LLM hold the Vicuna of LLaVA-1.5, LLaVA-OneVision and InternVL3 a Qwen2 like Qwen2.5-VL 7B.
FAMILIES: dict[str, FamilyDefaults] = {
    "llava": FamilyDefaults({32: 14}, 336),
    "instructblip": FamilyDefaults({32: 15}, 224),
    "qwen2_5_vl": FamilyDefaults({36: 22, 28: 22}, 224, 0.25, shrinks=False),
    "qwen3_vl": FamilyDefaults({36: 23}, 224, 0.25, shrinks=False),
    "llava_next": FamilyDefaults({32: 14}, 336, shrinks=False),
    "llava_onevision": FamilyDefaults({28: 22}, 384, 0.25, shrinks=False),
    "internvl": FamilyDefaults({28: 22}, 448, 0.25, shrinks=False),
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
            f"{', '.join(FAMILIES)}: choose such an answer model, or another search"
        )
    return FAMILIES[family]
