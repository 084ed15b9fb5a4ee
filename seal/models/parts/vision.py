"""The vision tower: an image becomes the patch tokens of one hidden layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from seal.images import Normalization
from seal.models.parts.sizes import require_multiple
from seal.models.parts.tower_families import FAMILIES, TowerFamily


@dataclass(kw_only=True, slots=True)
class VisionConfig:
    """Kind and sizes of the tower; the defaults are CLIP ViT-L/14 at 224 px."""

    family: str = "clip"  # clip | siglip (SigLIP 2 of one resolution too) | dinov2
    hidden_size: int = 1024
    intermediate_size: int = 4096
    num_hidden_layers: int = 24
    num_attention_heads: int = 16
    image_size: int = 224  # pixels
    patch_size: int = 14
    feature_layer: int = -2  # which hidden state is read
    # Pixels its position embeddings were made for, which are interpolated (bicubic) to image_size
    # where that is another; 0: image_size.
    pretrained_size: int = 0
    hidden_act: str = ""  # of the MLPs; empty: that of the family's public models
    num_registers: int = 0  # tokens beside the class token, of a DINOv2 that has them

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(
                f"family={self.family!r} is no vision tower known here; known: "
                f"{', '.join(FAMILIES)} (SigLIP 2 of one resolution is siglip; NaFlex, which has "
                "no fixed grid, cannot be used)"
            )
        if self.facts.cuts_remainder:
            if not 1 <= self.patch_size <= min(self.image_size, self.position_size):
                raise ValueError(
                    f"patch_size={self.patch_size} must be at least 1 and fit into "
                    f"image_size={self.image_size}"
                )
        else:
            self._require_whole_grid("image_size")
            if self.pretrained_size:
                self._require_whole_grid("pretrained_size")
        require_multiple(self, "hidden_size", "num_attention_heads")
        if not -self.num_hidden_layers - 1 <= self.feature_layer < 0:
            raise ValueError(
                f"feature_layer={self.feature_layer} counts from the end: expected "
                f"-{self.num_hidden_layers + 1} to -1 of {self.num_hidden_layers} layers"
            )
        if self.family == "dinov2":
            require_multiple(self, "intermediate_size", "hidden_size")
        elif self.num_registers:
            raise ValueError(
                f"num_registers={self.num_registers}: a {self.family} tower has none; set it to 0, "
                "or family to dinov2"
            )

    @property
    def facts(self) -> TowerFamily:
        """What the family has in common."""
        return FAMILIES[self.family]

    @property
    def normalization(self) -> Normalization:
        """Of the pictures it is shown."""
        return self.facts.normalization

    @property
    def activation(self) -> str:
        """Of the MLPs, by the library's name."""
        return self.hidden_act or self.facts.hidden_act

    @property
    def position_size(self) -> int:
        """Pixels a side that there are position embeddings for."""
        return self.pretrained_size or self.image_size

    @property
    def grid_size(self) -> int:
        """Patches a side; with SigLIP a remainder of the picture may be left over."""
        return self.image_size // self.patch_size

    @property
    def num_tokens(self) -> int:
        """Patch tokens of one image."""
        return self.grid_size**2

    @property
    def num_prefix_tokens(self) -> int:
        """Tokens before those of the patches: the class token and registers."""
        return int(self.facts.has_class_token) + self.num_registers

    @property
    def layers_run(self) -> int:
        """Layers that stand before the hidden state that is read."""
        return self.num_hidden_layers + 1 + self.feature_layer

    def build(self) -> VisionTower:
        return VisionTower(self)

    def _require_whole_grid(self, name: str) -> None:
        try:
            require_multiple(self, name, "patch_size")
        except ValueError as error:
            size, patch = getattr(self, name), self.patch_size
            if size < 1 or patch < 1:
                raise
            low = size // patch * patch
            near = [value for value in (low, low + patch) if value]
            raise ValueError(f"{error}: take {' or '.join(map(str, near))}") from error


class VisionTower(nn.Module):
    """A vision model read at `feature_layer`, patch tokens alone."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        # The library's, with a configuration of its own: they are shared by reference otherwise.
        self.vision_model: Any = config.facts.build(
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            image_size=config.position_size,
            patch_size=config.patch_size,
            hidden_act=config.activation,
            num_registers=config.num_registers,
        )

    @property
    def layers_run(self) -> nn.ModuleList:
        """The layers that stand before the hidden state that is read."""
        layers: Any = self.vision_model.get_submodule(self.config.facts.layers)
        run: nn.ModuleList = layers[: self.config.layers_run]
        return run

    def train_what_is_read(self) -> None:
        """Let gradients into what the tokens that are read depend on."""
        used = {id(p) for part in (self.vision_model.embeddings, *self.layers_run)
                for p in part.parameters()}  # fmt: skip
        if self.config.family == "clip":
            used |= {id(p) for p in self.vision_model.pre_layrnorm.parameters()}
        for name, parameter in self.vision_model.named_parameters():
            # DINOv2's stands for patches that its own pretraining hides.
            if id(parameter) in used and not name.endswith("mask_token"):
                parameter.requires_grad_(True)

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, 3, S, S) -> (N, T, C).

        Layers behind the one that is read are there only to be loaded and saved: they are not run.
        """
        config, hidden = self.config, self._embed(pixels)  # (N, prefix + T, C)
        masked = {} if config.family == "dinov2" else {"attention_mask": None}
        for layer in self.layers_run:
            hidden = layer(hidden, **masked)
        return hidden[:, config.num_prefix_tokens :]

    def _embed(self, pixels: Tensor) -> Tensor:
        embeddings, family = self.vision_model.embeddings, self.config.family
        if family == "dinov2":  # interpolates by itself
            hidden: Tensor = embeddings(pixels)
            return hidden
        other = self.config.position_size != self.config.image_size
        hidden = embeddings(pixels, interpolate_pos_encoding=other)
        return self.vision_model.pre_layrnorm(hidden) if family == "clip" else hidden
