"""The cue decoder D_cl: a SAM-style prompt encoder and two-way mask decoder."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seal.models.parts.initialize import unit_variance_
from seal.models.parts.sizes import require_multiple


@dataclass(kw_only=True, slots=True)
class CueDecoderConfig:
    """Sizes of the cue decoder; the grid is the detector's."""

    hidden_size: int = 256
    depth: int = 2
    num_heads: int = 8
    mlp_size: int = 2048
    attention_downsampling: int = 2  # inner width of cross-attention is hidden_size over this
    num_mask_tokens: int = 4  # the released layout; only token 0 is used
    mask_input_channels: int = 16

    def __post_init__(self) -> None:
        require_multiple(self, "hidden_size", "attention_downsampling")
        inner = self.hidden_size // self.attention_downsampling
        if self.num_heads < 1 or self.hidden_size % 8 or inner % self.num_heads:
            raise ValueError(
                f"hidden_size={self.hidden_size} must be a multiple of 8, and hidden_size / "
                f"attention_downsampling = {inner} a multiple of num_heads={self.num_heads}"
            )

    def build(self, feature_size: int) -> CueDecoder:
        return CueDecoder(feature_size, self)


class CueDecoder(nn.Module):
    """Detector features and one query a map -> mask logits at four times the grid."""

    def __init__(self, feature_size: int, config: CueDecoderConfig) -> None:
        super().__init__()
        self.feature_projection = nn.Linear(feature_size, config.hidden_size, bias=False)
        self.prompt_encoder = PromptEncoder(config)
        self.mask_decoder = MaskDecoder(config)

    def forward(self, features: Tensor, queries: Tensor) -> Tensor:
        """features: (E, G, G, C), queries: (E, hidden) -> (E, 4G, 4G) logits."""
        image = self.feature_projection(features).permute(0, 3, 1, 2)  # (E, hidden, G, G)
        grid = image.shape[-1]
        masks, _ = self.mask_decoder(
            image,
            self.prompt_encoder.dense_pe(grid).to(image.dtype),
            queries[:, None],
            self.prompt_encoder.no_mask_embed.weight[:, :, None, None],
        )
        return masks[:, 0]


class PromptEncoder(nn.Module):
    """Holds the positional code and, for the released layout, the unused prompt embeddings."""

    def __init__(self, config: CueDecoderConfig) -> None:
        super().__init__()
        size, channels = config.hidden_size, config.mask_input_channels
        self.pe_layer = RandomPositionCode(size // 2)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, size) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, size)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, channels // 4, kernel_size=2, stride=2),
            LayerNorm2d(channels // 4),
            nn.GELU(),
            nn.Conv2d(channels // 4, channels, kernel_size=2, stride=2),
            LayerNorm2d(channels),
            nn.GELU(),
            nn.Conv2d(channels, size, kernel_size=1),
        )
        self.no_mask_embed = nn.Embedding(1, size)
        # Points, boxes and mask prompts have no use here; they only keep the released layout.
        for unused in (self.point_embeddings, self.not_a_point_embed, self.mask_downscaling):
            unused.requires_grad_(False)

    def dense_pe(self, grid: int) -> Tensor:
        """(1, hidden, grid, grid)."""
        return self.pe_layer(grid)[None]


class RandomPositionCode(nn.Module):
    """Sines and cosines of random projections of the cell centers."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, num_features))

    def forward(self, grid: int) -> Tensor:
        """(2 * num_features, grid, grid) float32: half precision would blur the angles."""
        matrix = self.positional_encoding_gaussian_matrix.float()
        centers = (torch.arange(grid, device=matrix.device, dtype=matrix.dtype) + 0.5) / grid
        y, x = torch.meshgrid(centers, centers, indexing="ij")
        coords = 2 * torch.stack([x, y], dim=-1) - 1  # (grid, grid, 2) in [-1, 1]
        angles = 2 * math.pi * (coords @ matrix)
        return torch.cat([angles.sin(), angles.cos()], dim=-1).permute(2, 0, 1)


class MaskDecoder(nn.Module):
    """Output tokens and the prompt attend to the image; a hyper-network reads out the mask."""

    def __init__(self, config: CueDecoderConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.num_mask_tokens = config.num_mask_tokens
        self.transformer = TwoWayTransformer(config)
        self.iou_token = nn.Embedding(1, size)
        self.mask_tokens = nn.Embedding(config.num_mask_tokens, size)
        self.output_upscaling = nn.Sequential(
            UpsampleConv(size, size // 4),
            LayerNorm2d(size // 4),
            nn.GELU(),
            UpsampleConv(size // 4, size // 8),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            ThreeLayers(size, size, size // 8) for _ in range(config.num_mask_tokens)
        )
        self.iou_prediction_head = ThreeLayers(size, size, config.num_mask_tokens)
        self.freeze_unused()

    def freeze_unused(self) -> None:
        """Only mask token 0 is read; the others and the quality head keep the released layout."""
        self.iou_prediction_head.requires_grad_(False)
        for unused in self.output_hypernetworks_mlps[1:]:
            unused.requires_grad_(False)

    def forward(
        self,
        image: Tensor,
        image_pe: Tensor,
        prompt: Tensor,
        dense: Tensor,
        *,
        multimask: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """image: (E, D, G, G), image_pe: (1, D, G, G), prompt: (E, n, D), dense: broadcastable.

        Returns masks (E, m, 4G, 4G) and quality (E, m): m = 1 (token 0), or the others if
        `multimask`.
        """
        count, _, height, width = image.shape
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])  # (1 + m, D)
        tokens = torch.cat([own.expand(count, -1, -1), prompt], dim=1)
        tokens, image = self.transformer(image + dense, image_pe, tokens)
        upscaled = self.output_upscaling(image.transpose(1, 2).unflatten(2, (height, width)))
        chosen = range(1, self.num_mask_tokens) if multimask else range(1)
        weights = torch.stack(
            [self.output_hypernetworks_mlps[i](tokens[:, 1 + i]) for i in chosen], dim=1
        )
        masks = torch.einsum("emd,edhw->emhw", weights, upscaled)
        quality = self.iou_prediction_head(tokens[:, 0])[:, list(chosen)]
        return masks, quality


class TwoWayTransformer(nn.Module):
    """Tokens attend to the image and the image to the tokens."""

    def __init__(self, config: CueDecoderConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayLayer(config, first=index == 0) for index in range(config.depth)
        )
        self.final_attn_token_to_image = _cross_attention(config)
        self.norm_final_attn = nn.LayerNorm(config.hidden_size)

    def forward(self, image: Tensor, image_pe: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """image: (E, D, G, G), tokens: (E, n, D) -> tokens (E, n, D), image (E, G*G, D)."""
        keys = image.flatten(2).transpose(1, 2)
        key_pe = image_pe.flatten(2).transpose(1, 2)
        queries = tokens
        for layer in self.layers:
            queries, keys = layer(queries, keys, tokens, key_pe)
        attended = self.final_attn_token_to_image(queries + tokens, keys + key_pe, keys)
        return self.norm_final_attn(queries + attended), keys


class TwoWayLayer(nn.Module):
    """Self-attention of the tokens, cross-attention both ways, and a feed-forward."""

    def __init__(self, config: CueDecoderConfig, *, first: bool) -> None:
        super().__init__()
        size = config.hidden_size
        self.first = first
        self.self_attn = Attention(size, size, config.num_heads)
        self.norm1 = nn.LayerNorm(size)
        self.cross_attn_token_to_image = _cross_attention(config)
        self.norm2 = nn.LayerNorm(size)
        self.mlp = FeedForward(size, config.mlp_size)
        self.norm3 = nn.LayerNorm(size)
        self.norm4 = nn.LayerNorm(size)
        self.cross_attn_image_to_token = _cross_attention(config)

    def forward(
        self, queries: Tensor, keys: Tensor, query_pe: Tensor, key_pe: Tensor
    ) -> tuple[Tensor, Tensor]:
        if self.first:  # the queries are still the positional code itself
            queries = self.self_attn(queries, queries, queries)
        else:
            placed = queries + query_pe
            queries = queries + self.self_attn(placed, placed, queries)
        queries = self.norm1(queries)
        attended = self.cross_attn_token_to_image(queries + query_pe, keys + key_pe, keys)
        queries = self.norm2(queries + attended)
        queries = self.norm3(queries + self.mlp(queries))
        attended = self.cross_attn_image_to_token(keys + key_pe, queries + query_pe, queries)
        return queries, self.norm4(keys + attended)


def _cross_attention(config: CueDecoderConfig) -> Attention:
    inner = config.hidden_size // config.attention_downsampling
    return Attention(config.hidden_size, inner, config.num_heads)


class Attention(nn.Module):
    """Multi-head attention whose inner width may be smaller."""

    def __init__(self, size: int, inner: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.q_proj = nn.Linear(size, inner)
        self.k_proj = nn.Linear(size, inner)
        self.v_proj = nn.Linear(size, inner)
        self.out_proj = nn.Linear(inner, size)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        heads = [
            projection(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for projection, x in (
                (self.q_proj, query),
                (self.k_proj, key),
                (self.v_proj, value),
            )
        ]
        out = F.scaled_dot_product_attention(*heads)
        return self.out_proj(out.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Two layers with ReLU."""

    def __init__(self, size: int, inner: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(size, inner)
        self.lin2 = nn.Linear(inner, size)

    def forward(self, x: Tensor) -> Tensor:
        return self.lin2(F.relu(self.lin1(x)))


class ThreeLayers(nn.Module):
    """An MLP of three layers with ReLU."""

    def __init__(self, size: int, inner: int, out: int) -> None:
        super().__init__()
        layers = [nn.Linear(size, inner), nn.Linear(inner, inner), nn.Linear(inner, out)]
        unit_variance_(layers)
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class UpsampleConv(nn.Module):
    """Bilinear x2, then a 3x3 convolution."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))


class LayerNorm2d(nn.Module):
    """Layer norm over the channels of (N, C, H, W)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)
