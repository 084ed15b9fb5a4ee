"""How much arithmetic a step needs: an estimate in closed form."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from seal.batch import Batch
from seal.models.parts.owlvit import OwlViTConfig
from seal.models.parts.router import Router
from seal.models.parts.vision import VisionConfig
from seal.models.vqa import VQAModel
from seal.models.vsm import VSM


def count_flops(model: VQAModel | VSM) -> Callable[[Batch], float]:
    """A function of a batch: floating-point operations one training step on it needs."""
    needed = arithmetic(model)

    def flops(batch: Batch) -> float:
        lengths = batch.attention_mask.sum(1).double()
        squares = float((lengths**2).sum())
        if batch.documents:
            lengths = torch.tensor([document.length for document in batch.documents]).double()
            squares = sum(document.squares for document in batch.documents)
        pixels = batch.detector_pixels
        return needed(
            positions=float(lengths.sum()),
            squares=squares,
            supervised=len(batch.label_ids),
            images=batch.pixel_values.shape[0],
            detections=0 if pixels is None else pixels.shape[0],
            routed=0 if batch.routes is None else len(batch.routes.tiles),
        )

    return flops


def arithmetic(model: VQAModel | VSM) -> Callable[..., float]:
    """A function of counts: `positions` of the language model, the `squares` of each document's,
    those that are `supervised`, `images` of the tower, `detections` of the detector, and `routed`
    tiles that a router reads.

    Recomputation is left out. Counted are the language model's blocks on the attended positions
    (causal attention: half the square), its head on the supervised ones, the projectors, the
    router, and the towers; biases, norms and the search model's small heads are not. Sizes are
    read here, once, before ZeRO takes the weights apart.
    """
    llm = model.config.llm
    # Backward: once more for the input's gradient, and once more for what is trained.
    passes = 2.0 if trains_more_than_router(model) else 1.0
    blocks = _Matrices(model.llm.model.layers)
    per_token = 2.0 * (passes * blocks.total + blocks.trained)
    per_square = llm.num_hidden_layers * llm.num_attention_heads * llm.head_width * 2.0
    per_square *= 2.0 * passes - 1.0
    head = _Matrices(model.llm.lm_head)
    per_row = 2.0 * (passes * head.total + head.trained)
    vision = model.config.vision
    per_image = _tower_flops(
        model.vision_tower.layers_run, vision.layers_run, vision, _tokens(vision)
    )
    per_image *= 3.0 if model.trains_tower else 1.0
    for projector in (model.image_projector, model.object_projector):
        if projector is not None:
            matrices = _Matrices(projector)
            per_image += 2.0 * (matrices.total + 2.0 * matrices.trained) * vision.num_tokens
    per_routed = 0.0
    if isinstance(model, VQAModel) and model.router is not None:
        per_routed = _router_flops(model.router)
    per_detection = 0.0
    if isinstance(model, VSM):
        detector = model.config.detector
        per_detection = _tower_flops(
            model.detector, detector.num_hidden_layers, detector, detector.grid_size**2 + 1
        )

    def needed(
        *, positions: float, squares: float, supervised: float, images: float, detections: float,
        routed: float = 0.0,
    ) -> float:  # fmt: skip
        return (
            per_token * positions
            + per_square * squares
            + per_row * supervised
            + per_image * images
            + per_detection * detections
            + per_routed * routed
        )

    return needed


def trains_more_than_router(model: VQAModel | VSM) -> bool:
    """Whether gradients go through the language model: a router hears of it without any."""
    return any(p.requires_grad for n, p in model.named_parameters() if not n.startswith("router."))


def _router_flops(router: Router) -> float:
    """Of one tile, forward and backward."""
    matrices = _Matrices(router)
    positions = sum(router.levels) + router.config.text_tokens
    width = router.layer.out_proj.in_features
    attention = 4.0 * width * positions**2
    passes = 2.0 if matrices.trained else 0.0
    return 2.0 * (1.0 + passes) * matrices.total * positions + (1.0 + passes) * attention


class _Matrices:
    """Multiplications by one token in the linear layers of a module, quantized ones included."""

    def __init__(self, module: nn.Module) -> None:
        linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
        self.total = float(sum(layer.in_features * layer.out_features for layer in linear))
        self.trained = float(
            sum(
                layer.in_features * layer.out_features
                for layer in linear
                if layer.weight.requires_grad
            )
        )


def _tokens(vision: VisionConfig) -> int:
    return vision.num_tokens + vision.num_prefix_tokens


def _tower_flops(
    tower: nn.Module, num_layers: int, config: VisionConfig | OwlViTConfig, tokens: int
) -> float:
    """Forward of the `num_layers` layers of a vision transformer on one image."""
    attention = 4.0 * num_layers * config.hidden_size * tokens**2
    return 2.0 * _Matrices(tower).total * tokens + attention
