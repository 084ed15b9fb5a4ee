"""Turn the tower's tokens into language-model embeddings: all of them, or a few latents."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

PROJECTORS = ("linear", "mlp2x_gelu")


def build_projector(kind: str, vision_size: int, hidden_size: int) -> nn.Linear | nn.Sequential:
    """(N, T, vision_size) -> (N, T, hidden_size): one layer, or two with a GELU between them."""
    first = nn.Linear(vision_size, hidden_size)
    if kind == "linear":
        return first
    return nn.Sequential(first, nn.GELU(), nn.Linear(hidden_size, hidden_size))


@dataclass(kw_only=True, slots=True)
class ResamplerConfig:
    """Sizes of the Perceiver resampler; its width is the tower's."""

    num_latents: int = 32  # tokens that come out
    depth: int = 6
    num_heads: int = 16
    head_size: int = 96
    expansion: int = 4  # feed-forward width over the tower's

    def build(self, vision_size: int, hidden_size: int) -> nn.Sequential:
        """LayerNorm -> resampler -> Linear: (N, T, vision_size) -> (N, latents, hidden_size)."""
        return nn.Sequential(
            nn.LayerNorm(vision_size),
            PerceiverResampler(vision_size, self),
            nn.Linear(vision_size, hidden_size),
        )


class PerceiverResampler(nn.Module):
    """Learned latents attend to the features and to themselves (Flamingo, section 2.1.1)."""

    def __init__(self, size: int, config: ResamplerConfig) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(config.num_latents, size))
        self.media_pos_emb = nn.Parameter(torch.randn(1, 1, size))
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    LatentAttention(size, config.num_heads, config.head_size),
                    nn.Sequential(
                        nn.LayerNorm(size),
                        nn.Linear(size, size * config.expansion, bias=False),
                        nn.GELU(),
                        nn.Linear(size * config.expansion, size, bias=False),
                    ),
                ]
            )
            for _ in range(config.depth)
        )
        self.norm = nn.LayerNorm(size)

    def forward(self, features: Tensor) -> Tensor:
        """(N, T, C) -> (N, latents, C)."""
        features = features + self.media_pos_emb
        latents = self.latents.expand(features.shape[0], -1, -1)
        for layer in self.layers:
            attention, feed_forward = layer.children()
            latents = latents + attention(features, latents)
            latents = latents + feed_forward(latents)
        return self.norm(latents)


class LatentAttention(nn.Module):
    """Queries from the latents; keys and values from features and latents together."""

    def __init__(self, size: int, num_heads: int, head_size: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        inner = num_heads * head_size
        self.norm_media = nn.LayerNorm(size)
        self.norm_latents = nn.LayerNorm(size)
        self.to_q = nn.Linear(size, inner, bias=False)
        self.to_kv = nn.Linear(size, inner * 2, bias=False)
        self.to_out = nn.Linear(inner, size, bias=False)

    def forward(self, features: Tensor, latents: Tensor) -> Tensor:
        latents = self.norm_latents(latents)
        both = torch.cat([self.norm_media(features), latents], dim=1)  # (N, T + latents, C)
        query = self._heads(self.to_q(latents))
        key, value = (self._heads(t) for t in self.to_kv(both).chunk(2, dim=-1))
        out = nn.functional.scaled_dot_product_attention(query, key, value)
        return self.to_out(out.transpose(1, 2).flatten(2))

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # (N, heads, L, head_size)
