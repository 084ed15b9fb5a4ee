"""Facts in which a family of image-text models differs from the rest, by `model_type`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """What the rest of the room has to know about a model type."""

    # The size of the image processor is a number of pixels per picture, least and most.
    pixel_budget: bool = False
    # Text positions of three axes, computed from the pictures' grids (M-RoPE).
    axes: bool = False
    # The prompt of a family that was never taught a chat; `{}` is the text, pictures go in front.
    prompt: str | None = None
    # The attribute that continues a text without pictures, where the model itself cannot.
    text_model: str | None = None
    # Why it cannot be asked at all.
    refused: str = ""


_AXES = Family(pixel_budget=True, axes=True)
_NO_CHAT = "it turns a picture into text in one fixed way and takes no conversation"
_TWO_STACKS = "its text attends to pictures across two stacks, which this class does not share"
FAMILIES: dict[str, Family] = {
    "qwen2_vl": _AXES,
    "qwen2_5_vl": _AXES,
    "qwen3_vl": _AXES,
    "qwen3_vl_moe": _AXES,
    "qwen3_5": _AXES,
    "qwen3_5_moe": _AXES,
    "glm4v": _AXES,
    "glm4v_moe": _AXES,
    "glm46v": _AXES,
    "glm_ocr": _AXES,
    "paddleocr_vl": _AXES,
    # Li et al. 2023 (InstructBLIP), the form of its short-answer tasks.
    "instructblip": Family(prompt="Question: {} Short answer:", text_model="language_model"),
    "blip": Family(refused=_NO_CHAT),
    "git": Family(refused=_NO_CHAT),
    "pix2struct": Family(refused=_NO_CHAT),
    "udop": Family(refused=_NO_CHAT),
    "florence2": Family(refused=_NO_CHAT),
    "t5gemma2": Family(refused=_TWO_STACKS),
    "mllama": Family(refused=_TWO_STACKS),
}


def family_of(model_type: str) -> Family:
    """The facts of a model type; most need none."""
    return FAMILIES.get(model_type, Family())
