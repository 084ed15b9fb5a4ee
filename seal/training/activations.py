"""What a micro-batch keeps in memory until its gradients are there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seal.batch import Batch
from seal.models.parts.owlvit import OwlViTConfig
from seal.models.parts.vision import VisionConfig
from seal.models.vqa import VQAModel
from seal.models.vsm import VSM
from seal.training.flops import trains_more_than_router

# Logits of a supervised position: the logarithms of its softmax, and two gradients of that size,
# all float32, when the backward pass begins.
_LOGIT_BYTES = 3 * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one micro-batch of one process holds; averages are allowed."""

    positions: float  # of the language model, padding included
    supervised: float  # of them, that predict a label
    images: float = 0.0  # that the CLIP tower reads
    long: float = 0.0  # of them, through the linear projector
    short: float = 0.0  # through the resampler
    detections: float = 0.0  # images that the detector reads
    expressions: float = 0.0
    routed: float = 0.0  # tiles that a router reads

    @classmethod
    def of(cls, batch: Batch) -> Load:
        """Of a batch at hand."""
        return cls(
            positions=batch.input_ids.numel(),
            supervised=len(batch.label_ids),
            images=batch.pixel_values.shape[0],
            long=len(batch.long_images),
            short=len(batch.short_images),
            detections=0 if batch.detector_pixels is None else batch.detector_pixels.shape[0],
            expressions=len(batch.targets),
            routed=0 if batch.routes is None else len(batch.routes.tiles),
        )


@dataclass(frozen=True, slots=True)
class Activations:
    """Bytes of one micro-batch."""

    kept: float  # from the forward pass until the backward pass has used them
    towers: float  # of the towers, which run first; frozen ones keep nothing
    logits: float  # when the backward pass begins
    block: float  # to run one block of the language model again and to go back through it


def count_activations(
    model: VQAModel | VSM, load: Load, *, dtype: torch.dtype,
    gradient_checkpointing: bool, recompute_every: int = 1,
) -> Activations:  # fmt: skip
    """In closed form for the language model; projectors and heads are run on the meta device.

    Args:
        recompute_every: with checkpointing, every n-th block keeps its input alone.
    """
    size = dtype.itemsize
    config = model.llm.config
    width, layers = config.hidden_size, config.num_hidden_layers
    block = load.positions * _block_bytes(model, size)
    recomputed = -(-layers // recompute_every) if gradient_checkpointing else 0
    if not trains_more_than_router(model):
        return _forward_alone(model, load, dtype)
    # The final norm, and what the head multiplies.
    around = width * (load.positions * (4 + size) + load.supervised * size)
    kept = around + (layers - recomputed) * block + recomputed * load.positions * width * size
    kept += _projector_bytes(model, load, dtype)
    if model.trains_tower:
        kept += load.images * _tower_kept(model, dtype)
    if isinstance(model, VSM):
        kept += load.expressions * _expression_bytes(model, dtype)
    # On the way back: gradients of three inner tensors of the MLP, of two outer ones, and the
    # gradient of the largest matrix before it is added up; packed weights are unpacked for use.
    largest = width * config.intermediate_size * size
    back = load.positions * size * (3 * config.intermediate_size + 2 * width) + largest
    return Activations(
        kept=kept,
        towers=_tower_bytes(model, load, size),
        logits=load.supervised * config.vocab_size * _LOGIT_BYTES,
        block=back + (block if recomputed else 0.0),
    )


def _forward_alone(model: VQAModel | VSM, load: Load, dtype: torch.dtype) -> Activations:
    """Where no gradient goes through the language model: what its forward pass takes, and what a
    router that is trained on it keeps."""
    config, size = model.config.llm, dtype.itemsize
    kept = 0.0
    if isinstance(model, VQAModel) and model.router is not None and load.routed:
        kept = load.routed * _router_kept(model, dtype)
    return Activations(
        kept=kept,
        towers=_tower_bytes(model, load, size),
        logits=load.supervised * config.vocab_size * _LOGIT_BYTES,
        block=load.positions * size * (3 * config.intermediate_size + 4 * config.hidden_size),
    )


def _router_kept(model: VQAModel, dtype: torch.dtype) -> float:
    """Of one tile."""
    assert model.router is not None
    width, words = model.config.llm.hidden_size, model.router.config.text_tokens
    tokens = (1, model.config.vision.num_tokens, width)

    def run(module: Any) -> Any:
        mask = torch.ones((1, words), dtype=torch.bool, device="meta")
        return module(_meta(tokens, dtype), (1,), _meta((1, words, width), dtype), mask)

    return saved_bytes(model.router, run, dtype)


def _tower_kept(model: VQAModel | VSM, dtype: torch.dtype) -> float:
    """Of one image, where the tower is trained."""
    size = model.config.vision.image_size
    return saved_bytes(
        model.vision_tower, lambda module: module(_meta((1, 3, size, size), dtype)), dtype
    )


def _block_bytes(model: VQAModel | VSM, size: int) -> float:
    """A position's activations in one block of the language model, kept for the backward pass."""
    config = model.config.llm
    width, inner = config.hidden_size, config.intermediate_size
    queries = config.num_attention_heads * config.head_width
    keys = config.key_value_heads * config.head_width
    # Two norms: what is squared, in float32, and what is scaled; the input of two matrices.
    scaled = 4 if config.architecture == "olmo2" else size  # it scales in float32 as well
    norms = 2 * width * (4 + scaled + size)
    if hasattr(model.llm.model.layers[0].self_attn, "q_norm"):  # queries and keys have their own
        norms += (queries + keys) * (4 + scaled)
    # Queries, keys, values, what each document attends to, and the input of the last matrix.
    # Expressions about one image share a row, under a mask: keys are then copied to all heads.
    attention = (3 * queries + 2 * (queries if isinstance(model, VSM) else keys)) * size
    mlp = 4 * inner * size  # gate, its activation, up, their product
    total = float(norms + attention + mlp)
    for layer in model.llm.model.layers[0].modules():
        if hasattr(layer, "lora_A"):  # adapters: what dropout leaves, and its mask
            base: Any = layer
            total += 2 * size * base.in_features
    return total


def _projector_bytes(model: VQAModel | VSM, load: Load, dtype: torch.dtype) -> float:
    tokens, width = model.config.vision.num_tokens, model.config.vision.hidden_size
    total = load.long * tokens * (width + model.llm.config.hidden_size) * dtype.itemsize
    if isinstance(model.image_projector, nn.Sequential):  # two layers
        total += load.long * tokens * 2 * model.llm.config.hidden_size * dtype.itemsize
    # Each level beside the finest, and the table they all stand in.
    coarser = sum(model.levels) - tokens
    if coarser:
        total += load.long * (2 * coarser + tokens) * model.llm.config.hidden_size * dtype.itemsize
    resampler = model.object_projector
    if resampler is not None and load.short:
        total += load.short * saved_bytes(
            resampler, lambda module: module(_meta((1, tokens, width), dtype)), dtype
        )
    return total


def _expression_bytes(model: VSM, dtype: torch.dtype) -> float:
    """Of the query's MLPs, the box decoder and the cue decoder, for one expression."""
    detector = model.config.detector
    grid = detector.grid_size
    features = (1, grid, grid, detector.hidden_size)
    query = (1, model.config.cue_decoder.hidden_size)
    cue = saved_bytes(
        model.mask_head,
        lambda module: module(_meta(features, dtype), _meta(query, dtype)),
        dtype,
    )
    cells = grid * grid
    # The class head's input, its output and that normalized, in float32; logits and their loss.
    boxes = cells * (detector.hidden_size * dtype.itemsize + detector.query_size * 12 + 40)
    masks = (4 * grid) ** 2 * 16  # logits of masks and the two losses on them, float32
    return cue + boxes + masks


def _tower_bytes(model: VQAModel | VSM, load: Load, size: int) -> float:
    """Of the larger tower, when it runs."""

    def working(config: VisionConfig | OwlViTConfig, tokens: int) -> float:
        return float(tokens * size * (7 * config.hidden_size + 2 * config.intermediate_size))

    vision = model.config.vision
    most = load.images * working(vision, vision.num_tokens + vision.num_prefix_tokens)
    if isinstance(model, VSM):
        detector = model.config.detector
        most = max(most, load.detections * working(detector, detector.grid_size**2 + 1))
    return most


def saved_bytes(module: nn.Module, run: Callable[[nn.Module], Any], dtype: torch.dtype) -> float:
    """What `run(module)` keeps for its backward pass, weights left out; nothing is allocated."""
    twin = copy.deepcopy(module).to("meta", dtype)
    twin.requires_grad_(True)
    weights = {p.untyped_storage()._cdata for p in twin.parameters()}
    kept: dict[int, tuple[int, Any]] = {}  # the storage is held, so that its number stays its own

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = (storage.nbytes(), storage)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = run(twin)
    total = float(sum(size for size, _ in kept.values()))
    del output
    return total


def _meta(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")
