"""The model whose levels are measured: random weights cost what trained ones cost."""

from __future__ import annotations

from dataclasses import replace

import torch

from seal.evaluation.granularity_speed.config import GranularitySpeedConfig
from seal.evaluation.speed.models import endless_model
from seal.images import TilesConfig
from seal.models.parts.router import RouterConfig
from seal.models.presets import vqa_preset
from seal.models.vqa import GranularityConfig, VQAModel, VQAModelConfig
from seal.text.tokenize import Tokenizer
from seal.tiling import standard_levels

TILE, PATCH = 336, 14  # of CLIP-L/14-336: 24 x 24 tokens a tile
CONTEXT = 4096  # AVG-LLaVA's


def granular(sizes: VQAModelConfig) -> VQAModelConfig:
    """The same widths with AVG-LLaVA's tiles, projector, levels and router, if it has no levels."""
    if sizes.granularity is not None:
        return sizes
    vision = replace(sizes.vision, image_size=TILE, patch_size=PATCH)
    longest = max(CONTEXT, sizes.llm.max_position_embeddings)
    return replace(
        sizes,
        llm=replace(sizes.llm, max_position_embeddings=longest),
        vision=vision,
        resampler=None,
        projector="mlp2x_gelu",
        tiles=TilesConfig(),
        granularity=GranularityConfig(levels=list(standard_levels(TILE // PATCH))),
        router=RouterConfig(),
        token_policy="router",
    )


def build_model(
    config: GranularitySpeedConfig, device: str, dtype: torch.dtype
) -> tuple[VQAModel, Tokenizer]:
    """See `endless_model`.

    Raises:
        ValueError: the preset has levels and no router.
    """
    sizes = granular(vqa_preset(config.size))
    if sizes.router is None:
        raise ValueError(f"size={config.size} has no router whose cost could be measured")
    if config.num_hidden_layers is not None:
        sizes.llm = replace(sizes.llm, num_hidden_layers=config.num_hidden_layers)
    return endless_model(sizes, seed=config.seed, dtype=dtype, device=device)
