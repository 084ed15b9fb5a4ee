"""How much arithmetic a step needs and how much memory a run: estimates in closed form."""

from __future__ import annotations

from torch import nn

from seal.batch import Batch
from seal.models.vqa import VQAModel
from seal.models.vsm import VSM


def training_flops(model: VQAModel | VSM, batch: Batch) -> float:
    """Floating-point operations one training step on `batch` needs, recomputation left out.

    Forward and backward of the language model's blocks on the attended positions (causal
    attention: half the square), its head on the supervised ones, projectors, and the forward of
    the frozen towers. Biases, norms and the small heads of the search model are left out.
    """
    config = model.llm.config
    lengths = batch.attention_mask.sum(1).double()
    tokens = float(lengths.sum())
    blocks = model.llm.model.layers
    # Backward: once more for the input's gradient, and once more for what is trained.
    backward = 1.0 + _trained_share(blocks)
    attention = 2.0 * config.num_hidden_layers * config.hidden_size * float((lengths**2).sum())
    flops = (1.0 + backward) * 2.0 * _matrix_parameters(blocks) * tokens + 3.0 * attention
    head = model.llm.lm_head
    rows = float(batch.supervised.sum())
    flops += (2.0 + _trained_share(head)) * 2.0 * _matrix_parameters(head) * rows
    images = batch.pixel_values.shape[0]
    clip = model.config.clip
    flops += images * _tower_flops(model.vision_tower, clip, clip.num_tokens + 1)
    for name in ("image_projector", "object_projector"):
        projector = getattr(model, name)
        if projector is not None:
            passes = 1.0 + 2.0 * _trained_share(projector)
            flops += passes * 2.0 * _matrix_parameters(projector) * images * clip.num_tokens
    if isinstance(model, VSM) and batch.detector_pixels is not None:
        detector = model.config.detector
        count = batch.detector_pixels.shape[0]
        flops += count * _tower_flops(model.detector, detector, detector.grid_size**2 + 1)
    return flops


def _tower_flops(tower: nn.Module, config: object, tokens: int) -> float:
    """Forward of a vision transformer on one image."""
    layers: int = config.num_hidden_layers  # type: ignore[attr-defined]
    size: int = config.hidden_size  # type: ignore[attr-defined]
    return 2.0 * _matrix_parameters(tower) * tokens + 4.0 * layers * size * tokens**2


def _matrix_parameters(module: nn.Module) -> float:
    return float(sum(p.numel() for p in module.parameters() if p.ndim >= 2))


def _trained_share(module: nn.Module) -> float:
    total = _matrix_parameters(module)
    trained = sum(p.numel() for p in module.parameters() if p.ndim >= 2 and p.requires_grad)
    return trained / total if total else 0.0


def state_bytes(
    trained: float, frozen: float, *, stage: int, processes: int, bf16: bool,
    frozen_bytes: float | None = None,
) -> float:  # fmt: skip
    """Bytes per process for weights, gradients and AdamW's state; activations come on top.

    Args:
        trained, frozen: numbers of parameters.
        frozen_bytes: per frozen parameter if it is quantized; None: as the others.
    """
    size = 2.0 if bf16 else 4.0
    weights = trained * size + frozen * (size if frozen_bytes is None else frozen_bytes)
    gradients = trained * size
    # Two moments in float32, and the float32 weights themselves where the model's are not.
    optimizer = trained * (12.0 if bf16 or stage > 0 else 8.0)
    if stage >= 1:
        optimizer /= processes
    if stage >= 2:
        gradients /= processes
    if stage >= 3:
        weights /= processes
    return weights + gradients + optimizer
