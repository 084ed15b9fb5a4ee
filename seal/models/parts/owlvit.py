"""The OWL detectors (D_tl): frozen backbone, query-conditioned class head, box head.

OWLv2 is OWL-ViT's network on padded pictures; its objectness head, which finds things nobody asked
for, is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import Owlv2VisionConfig, OwlViTVisionConfig
from transformers.models.owlv2.modeling_owlv2 import Owlv2VisionTransformer
from transformers.models.owlvit.modeling_owlvit import OwlViTVisionTransformer

from seal.images import DetectorFit
from seal.models.parts.sizes import require_multiple

FAMILIES: dict[str, tuple[Any, Any]] = {
    "owlvit": (OwlViTVisionTransformer, OwlViTVisionConfig),
    "owlv2": (Owlv2VisionTransformer, Owlv2VisionConfig),
}


@dataclass(kw_only=True, slots=True)
class OwlViTConfig:
    """Kind and sizes of the detector; the defaults are OWL-ViT B/16 at 768 px."""

    family: str = "owlvit"  # owlvit | owlv2
    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    image_size: int = 768  # pixels; what is looked at is brought to this square
    patch_size: int = 16
    query_size: int = 512  # width of the query the class head compares with

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(
                f"family={self.family!r} is no detector known here; known: {', '.join(FAMILIES)}"
            )
        require_multiple(self, "image_size", "patch_size")
        require_multiple(self, "hidden_size", "num_attention_heads")

    @property
    def fit(self) -> DetectorFit:
        """How a picture lies in the square that is looked at."""
        return "pad" if self.family == "owlv2" else "stretch"

    @property
    def grid_size(self) -> int:
        """Tokens a side; candidates are its square."""
        return self.image_size // self.patch_size

    def build(self) -> OwlViT:
        return OwlViT(self)


class OwlViT(nn.Module):
    """Image -> grid of features -> candidates scored against a query."""

    def __init__(self, config: OwlViTConfig) -> None:
        super().__init__()
        self.config = config
        # A fresh HF config for every model: they are shared by reference otherwise.
        transformer, sizes = FAMILIES[config.family]
        self.vision_model = transformer(
            sizes(
                hidden_size=config.hidden_size,
                intermediate_size=config.intermediate_size,
                num_hidden_layers=config.num_hidden_layers,
                num_attention_heads=config.num_attention_heads,
                image_size=config.image_size,
                patch_size=config.patch_size,
                hidden_act="quick_gelu",
                layer_norm_eps=1e-5,
            )
        )
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=1e-5)
        self.class_head = ClassHead(config.hidden_size, config.query_size)
        self.box_head = BoxHead(config.hidden_size)

    def encode(self, pixels: Tensor) -> Tensor:
        """(M, 3, D, D) -> (M, G, G, C): patch tokens times the class token, normalized."""
        tokens = self.vision_model(pixel_values=pixels).last_hidden_state  # (M, 1 + G*G, C)
        tokens = self.vision_model.post_layernorm(tokens)
        merged = self.layer_norm(tokens[:, 1:] * tokens[:, :1])
        grid = self.config.grid_size
        return merged.unflatten(1, (grid, grid))

    def predict_logits(self, features: Tensor, queries: Tensor) -> Tensor:
        """features: (E, G, G, C), queries: (E, query_size) -> (E, G*G)."""
        return self.class_head(features.flatten(1, 2), queries)

    def predict_boxes(self, features: Tensor) -> Tensor:
        """(M, G, G, C) -> (M, G*G, 4) cxcywh in [0, 1]; no query enters."""
        bias = box_bias(self.config.grid_size, features.device)
        return (self.box_head(features.flatten(1, 2)) + bias).sigmoid()


class ClassHead(nn.Module):
    """Cosine of features and query, shifted and scaled per token."""

    def __init__(self, hidden_size: int, query_size: int) -> None:
        super().__init__()
        self.dense0 = nn.Linear(hidden_size, query_size)
        self.logit_shift = nn.Linear(hidden_size, 1)
        self.logit_scale = nn.Linear(hidden_size, 1)

    def forward(self, features: Tensor, queries: Tensor) -> Tensor:
        """features: (E, Q, C), queries: (E, K) -> (E, Q)."""
        embedded = self.dense0(features)  # (E, Q, K)
        embedded = embedded / (embedded.norm(dim=-1, keepdim=True) + 1e-6)
        queries = queries / (queries.norm(dim=-1, keepdim=True) + 1e-6)
        cosine = torch.einsum("eqk,ek->eq", embedded, queries)
        shift = self.logit_shift(features).squeeze(-1)
        scale = F.elu(self.logit_scale(features).squeeze(-1)) + 1
        return (cosine + shift) * scale


class BoxHead(nn.Module):
    """Three layers with GELU; four numbers a token, before the grid bias and the sigmoid."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.dense0 = nn.Linear(hidden_size, hidden_size)
        self.dense1 = nn.Linear(hidden_size, hidden_size)
        self.dense2 = nn.Linear(hidden_size, 4)

    def forward(self, features: Tensor) -> Tensor:
        return self.dense2(F.gelu(self.dense1(F.gelu(self.dense0(features)))))


def box_bias(grid_size: int, device: torch.device | str = "cpu") -> Tensor:
    """(G*G, 4) float32 logits: each cell's lower-right corner, and the size of one cell."""
    corner = torch.arange(1, grid_size + 1, device=device, dtype=torch.float32) / grid_size
    y, x = torch.meshgrid(corner, corner, indexing="ij")
    center = torch.stack([x, y], dim=-1).flatten(0, 1).clamp(0.0, 1.0)
    size = torch.full_like(center, 1.0 / grid_size)
    return torch.cat([_inverse_sigmoid(center), _inverse_sigmoid(size)], dim=-1)


def _inverse_sigmoid(p: Tensor) -> Tensor:
    return torch.log(p + 1e-4) - torch.log1p(-p + 1e-4)
