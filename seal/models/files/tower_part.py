"""A public vision tower, CLIP, SigLIP or DINOv2, as the tower of a model to train."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import CONFIG_MAPPING

from seal.models.files.checkpoint_table import RECOMPUTED, TOWER_PREFIXES
from seal.models.files.model_config import CONFIG_FILE, read_json_object
from seal.models.files.shards import StoredTensor, list_tensors, read_tensors
from seal.models.files.tower_names import new_name
from seal.models.parts.vision import VisionConfig

_OURS = "vision_tower.vision_model."
_OWN = "++model.vision.{}= sets the model's own, vision= another folder"
# What config.json calls a tower, alone or with its text encoder.
_TYPES = {
    "clip": "clip", "clip_vision_model": "clip", "siglip": "siglip",
    "siglip_vision_model": "siglip", "dinov2": "dinov2", "dinov2_with_registers": "dinov2",
}  # fmt: skip


def tower_tensors(folder: Path | str, vision: VisionConfig) -> dict[str, Tensor]:
    """The tensors of the tower in `folder` under our names.

    Raises:
        ValueError: it is a tower of another family, or differs in what no shape tells; it has
            position embeddings of another grid; there is no tower.
    """
    folder = Path(folder)
    _require_same(folder, vision)
    stored = list_tensors(folder)
    prefix = next((p for p in TOWER_PREFIXES[vision.family] if p and _any(stored, p)), "")
    found = {
        _OURS + new_name(key.removeprefix(prefix)): tensor
        for key, tensor in stored.items()
        if key.startswith(prefix) and not key.endswith(RECOMPUTED)
    }
    if vision.family == "siglip":
        found = {key: value for key, value in found.items() if not key.startswith(f"{_OURS}head.")}
    if not _any(found, f"{_OURS}embeddings."):
        raise ValueError(f"{folder} holds no {vision.family} tower: name another with vision=")
    _require_positions(folder, found, vision)
    return dict(read_tensors(found))


def _any(keys: Mapping[str, Any], prefix: str) -> bool:
    return any(key.startswith(prefix) for key in keys)


def _require_same(folder: Path, vision: VisionConfig) -> None:
    """Compare what no shape tells with config.json, where the folder has one."""
    path = folder / CONFIG_FILE
    if not path.is_file():
        return
    whole = read_json_object(path)
    kind = str(whole.get("model_type", vision.family))
    told = whole["vision_config"] if isinstance(whole.get("vision_config"), dict) else whole
    if kind.startswith("siglip2"):
        raise ValueError(
            f"{path}: a {kind} is SigLIP 2 of any resolution (NaFlex), which has no fixed grid: "
            "take one of a fixed resolution, whose model_type is siglip"
        )
    if _TYPES.get(kind) != vision.family:
        raise ValueError(f"{path}: a {kind} is no {vision.family} tower: {_OWN.format('family')}")
    if told.get("use_swiglu_ffn"):
        raise ValueError(
            f"{path}: use_swiglu_ffn is what DINOv2 giant has, which cannot be used: take DINOv2 "
            "small, base or large"
        )
    # What the file leaves out has the library's value: SigLIP's leave out the heads.
    library: Any = CONFIG_MAPPING[kind]
    # Not the whole: its text encoder's own values make the library complain of them.
    usual = library.sub_configs.get("vision_config", library)() if "model_type" in whole else None
    wanted = {
        "num_attention_heads": vision.num_attention_heads,
        "num_hidden_layers": vision.num_hidden_layers,
        "hidden_act": vision.activation,
        "num_register_tokens": vision.num_registers,
        "patch_size": vision.patch_size,
    }
    for key, value in wanted.items():
        there = told.get(key, getattr(usual, key, value))
        if there != value:
            name = {"num_register_tokens": "num_registers"}.get(key, key)
            raise ValueError(
                f"{path}: {key}={there}, but the model has {value}: {_OWN.format(name)}"
            )


def _require_positions(
    folder: Path, found: Mapping[str, StoredTensor], vision: VisionConfig
) -> None:
    """The grid is a number in our configuration: say which, where the file has another."""
    for name in ("position_embeddings", "position_embedding.weight"):
        if (table := found.get(f"{_OURS}embeddings.{name}")) is None:
            continue
        side = math.isqrt(table.shape[-2] - int(vision.facts.has_class_token))
        if side != vision.position_size // vision.patch_size:
            raise ValueError(
                f"{folder} has position embeddings of {side} x {side} patches, the model is for "
                f"{vision.position_size} px: set ++model.vision.pretrained_size="
                f"{side * vision.patch_size}, or ++model.vision.image_size to it"
            )
