"""The layout of LLaVA-NeXT, and of AVG-LLaVA, which is one with a router: config.json, both ways.

LLaVA-1.5 has it too, without tiles.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from math import isqrt
from typing import Any

from seal.images.tiles import TilesConfig
from seal.models.files.checkpoint_table import LLAMA_NAMES, NEWLINE_NAMES, ROUTER_NAMES
from seal.models.files.layout_llama import no_place, other_parts, shared_settings
from seal.models.files.shards import StoredTensor
from seal.models.parts.projectors import PROJECTORS
from seal.models.parts.router import RouterConfig
from seal.models.parts.vision import VisionConfig
from seal.models.vlm import LlmConfig
from seal.models.vqa import GranularityConfig, VQAModelConfig
from seal.text.quote import quoted

LLAVA_TYPE = "llava_llama"  # `model_type`; before February 2024 it was that of SEAL's search model
_CLIP = "openai/clip-vit-large-patch14"
_TOWER = "model.vision_tower.vision_tower.vision_model.embeddings."
_POSITIONS, _PATCHES = f"{_TOWER}position_embedding.weight", f"{_TOWER}patch_embedding.weight"
_VOTER = "model.router.voter"
# What their code fixes: heads and dropout of the router's layer, and what that attends across.
_ROUTER: dict[str, Any] = {"num_heads": 8, "dropout": 0.1, "attends": "tiles"}


def read_llava(
    content: Mapping[str, Any], llm: LlmConfig, stored: Mapping[str, StoredTensor]
) -> VQAModelConfig:
    """A model as released, its quirks with it: the weights were trained so.

    The tower is a CLIP ViT-L/14, of the size of its position embeddings.

    Raises:
        ValueError: a setting that nothing here has.
        KeyError: there is a router, but no levels are told.
    """
    if content.get("mm_vision_select_feature", "patch") != "patch":
        raise ValueError(
            f"mm_vision_select_feature={quoted(content['mm_vision_select_feature'])}: only patch "
            "tokens are read here"
        )
    projector = content.get("mm_projector_type", "linear")
    if projector not in PROJECTORS:
        raise ValueError(
            f"mm_projector_type={quoted(projector)} is none of {', '.join(PROJECTORS)}"
        )
    if content.get("mm_use_im_start_end"):
        raise ValueError(
            "mm_use_im_start_end is true: its pictures stand between two marks, which are not "
            "written here"
        )
    vision = _vision(content, stored)
    levels = None
    if _VOTER in stored or content.get("vis_token_granularity") is not None:
        levels = _levels(content["vis_token_granularity"])
    if _VOTER not in stored and content.get("router_select"):
        raise ValueError(
            f"router_select is true, but the file holds no {_VOTER}: take the whole model "
            "(zhibinlan/AVG-LLaVA), or set router_select to false and train a router "
            "(experiment=avg_router_7b)"
        )
    config = VQAModelConfig(
        llm=llm,
        vision=vision,
        resampler=None,
        projector=projector,
        tiles=_tiles(content, vision.image_size, levels is not None),
        granularity=None if levels is None else GranularityConfig(levels=levels),
        token_policy="router",
    )
    if _VOTER not in stored:
        return config
    told = sum(stored[_VOTER].shape[:1])  # a weight a token, the words behind the pictures'
    words = told - sum(levels or ())
    if words < 1 or _number(content, "filtered_text_num", words) != words:
        raise ValueError(
            f"{_VOTER} has {told} rows, but vis_token_granularity={levels} and "
            f"filtered_text_num={content.get('filtered_text_num')} are of another number"
        )
    return replace(config, router=RouterConfig(text_tokens=words, **_ROUTER))


def write_llava(config: VQAModelConfig) -> dict[str, Any]:
    """config.json as their code reads it.

    Raises:
        ValueError: the model has settings that their code cannot be told.
    """
    shared = shared_settings(config)
    if other := other_parts(config) + _other_settings(config):
        raise no_place(other)
    size, tiles = config.vision.image_size, config.tiles
    shared |= {
        "model_type": LLAVA_TYPE,
        "architectures": ["LlavaLlamaForCausalLM"],
        "mm_vision_tower": f"{_CLIP}-{size}" if size == 336 else _CLIP,
        "unfreeze_mm_vision_tower": True,  # else they take the tower from elsewhere
        "mm_projector_type": config.projector,
        "mm_use_im_start_end": False,
        "mm_patch_merge_type": "flat" if tiles is None else "spatial_unpad",
        "image_aspect_ratio": "pad" if tiles is None else "anyres",
        "image_grid_pinpoints": tiles
        and [[size * columns, size * rows] for columns, rows in tiles.grids],
        "tokenizer_padding_side": "right",
        "tokenizer_model_max_length": config.llm.max_position_embeddings,
    }
    if config.granularity is not None:
        shared["vis_token_granularity"] = list(config.granularity.levels)
        shared["router_select"] = config.router is not None
    if config.router is not None:
        shared["filtered_text_num"] = config.router.text_tokens
    return shared


def llava_names(config: VQAModelConfig) -> dict[str, str]:
    """The rules of `rename` for its tensors."""
    newline = {} if config.tiles is None else NEWLINE_NAMES
    return LLAMA_NAMES | newline | ({} if config.router is None else ROUTER_NAMES)


def _vision(content: Mapping[str, Any], stored: Mapping[str, StoredTensor]) -> VisionConfig:
    """Pixels a side are those of the tower in the file, else the name of the one to fetch says."""
    patch = VisionConfig().patch_size
    size = 336 if str(content.get("mm_vision_tower", "")).endswith("-336") else 224
    if _POSITIONS in stored and _PATCHES in stored:
        positions, kernel = stored[_POSITIONS].shape, stored[_PATCHES].shape
        if len(positions) != 2 or len(kernel) != 4 or min(positions + kernel) < 2:
            raise ValueError(
                f"{_POSITIONS} has shape {list(positions)} and {_PATCHES} {list(kernel)}, which "
                "are no embeddings of a CLIP"
            )
        patch = kernel[-1]
        size = isqrt(positions[0] - 1) * patch
    layer = _number(content, "mm_vision_select_layer", -2)
    return VisionConfig(image_size=size, patch_size=patch, feature_layer=layer)


def _number(content: Mapping[str, Any], key: str, usual: int) -> int:
    value = content.get(key, usual)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{key}={quoted(value)} is no whole number")
    return value


def _levels(told: Any) -> list[int]:
    if not isinstance(told, list) or not all(type(level) is int for level in told):
        raise ValueError(f"vis_token_granularity={quoted(told)} is no list of numbers of tokens")
    return list(told)


def _tiles(content: Mapping[str, Any], size: int, has_levels: bool) -> TilesConfig | None:
    merge = content.get("mm_patch_merge_type", "flat")
    shown = content.get("image_aspect_ratio", "square")
    if (merge, shown) == ("flat", "pad"):
        return None
    if (merge, shown) != ("spatial_unpad", "anyres"):
        raise ValueError(
            f"image_aspect_ratio={quoted(shown)} with mm_patch_merge_type={quoted(merge)}: known "
            "here are anyres with spatial_unpad, and pad with flat"
        )
    told = content["image_grid_pinpoints"]
    try:
        points = ast.literal_eval(told) if isinstance(told, str) else told
        grids = [[wide // size, high // size] for wide, high in points]
        sides = [side for point in points for side in point]
        whole = bool(sides) and all(type(s) is int and s > 0 and s % size == 0 for s in sides)
    except (TypeError, ValueError, SyntaxError):
        whole = False
    if not whole:
        raise ValueError(
            f"image_grid_pinpoints={quoted(told)}: expected pairs of multiples of {size} pixels, "
            "the size of a tile"
        )
    # Rows are lost at pooled levels alone: LLaVA-NeXT, which has none, needs no quirk, and what
    # is trained from it should not inherit one.
    return TilesConfig(grids=grids, unpad="as_released" if has_levels else "tile")


def _other_settings(config: VQAModelConfig) -> list[str]:
    """What their code has no key for."""
    other = []
    tokens = config.vision.num_tokens
    levels = [] if config.granularity is None else list(config.granularity.levels)
    pooled = [level for level in levels if level != tokens]
    # They pool squares, and oblongs at a half and an eighth of the tokens.
    if odd := [n for n in pooled if isqrt(n) ** 2 != n and tokens not in (2 * n, 8 * n)]:
        other.append(f"granularity.levels={odd}")
    if config.tiles is not None and pooled and config.tiles.unpad != "as_released":
        other.append(f"tiles.unpad={config.tiles.unpad}")
    if config.router is not None:
        other += [
            f"router.{name}={getattr(config.router, name)}"
            for name, fixed in _ROUTER.items()
            if getattr(config.router, name) != fixed
        ]
    return other
