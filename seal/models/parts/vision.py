"""The CLIP tower: an image becomes the patch tokens of one hidden layer."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from seal.models.parts.sizes import require_multiple


@dataclass(kw_only=True, slots=True)
class VisionConfig:
    """Sizes of the tower; the defaults are CLIP ViT-L/14 at 224 px."""

    hidden_size: int = 1024
    intermediate_size: int = 4096
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    image_size: int = 224  # pixels
    patch_size: int = 14
    feature_layer: int = -2  # which hidden state is read

    def __post_init__(self) -> None:
        require_multiple(self, "image_size", "patch_size")
        require_multiple(self, "hidden_size", "num_attention_heads")
        if not -self.num_hidden_layers - 1 <= self.feature_layer < 0:
            raise ValueError(
                f"feature_layer={self.feature_layer} counts from the end: expected "
                f"-{self.num_hidden_layers + 1} to -1"
            )

    @property
    def num_tokens(self) -> int:
        """Patch tokens of one image."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def layers_run(self) -> int:
        """Layers that stand before the hidden state that is read."""
        return self.num_hidden_layers + 1 + self.feature_layer

    def build(self) -> VisionTower:
        return VisionTower(self)


class VisionTower(nn.Module):
    """A CLIP vision model read at `feature_layer`, class token dropped."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.vision_model = CLIPVisionModel(
            CLIPVisionConfig(
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

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, T, C).

        Layers behind the one that is read are there only to be loaded and saved: they are not run.
        """
        tower = self.vision_model
        hidden = tower.pre_layrnorm(tower.embeddings(pixels))  # (N, 1 + T, C)
        for layer in tower.encoder.layers[: self.config.layers_run]:
            hidden = layer(hidden, attention_mask=None)
        return hidden[:, 1:]
