"""How much memory a model takes, told before any of it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from seal.models.parts.llm import LlmConfig
from seal.models.vlm import VLM
from seal.models.vqa import VQAModel, VQAModelConfig
from seal.models.vsm import VSMModelConfig

GIB = 2**30
# A QuantState of bitsandbytes: the 16 values of nf4, the 256 of its statistics, an offset.
_NF4_BLOCK, _NF4_GROUP, _NF4_TABLES = 64, 256, 4 * (16 + 256 + 1)
# One question: what of it is in memory at once.
OPTIONS = 4
CROPS = 2  # shown beside the image at the end
QUESTION_TOKENS = 256  # words of prompt and option
VISITS = 10  # regions two targets take (4.65 each in the paper)
WORKSPACE = 0.5 * GIB  # activations of a pass, at published sizes; of smaller ones less


@dataclass(frozen=True, slots=True)
class Setting:
    """How models are loaded."""

    dtype: torch.dtype = torch.bfloat16
    quantization: str | None = None
    offload: int = 0  # blocks of each language model that stay on the host

    def __str__(self) -> str:
        name = (
            str(self.dtype).removeprefix("torch.") if not self.quantization else self.quantization
        )
        return name + (f", {self.offload} blocks on the host" if self.offload else "")


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes by part."""

    parts: dict[str, int]  # weights on the device
    question: int  # the key-value cache of one question, crops remembered, activations
    host: int = 0  # weights that stay on the host

    @property
    def weights(self) -> int:
        return sum(self.parts.values())

    @property
    def total(self) -> int:
        return self.weights + self.question


def expected_need(
    configs: Sequence[VQAModelConfig | VSMModelConfig],
    setting: Setting,
    *,
    shared_tower: bool = False,
    cache_mb: int = 4096,
) -> Need:
    """What one or both models need for one question at a time. Builds them on the meta device.

    shared_tower: the towers are one object; cache_mb: as of `NetworkSearchModel`.
    """
    parts: dict[str, int] = {}
    host = question = 0
    for place, config in enumerate(configs):
        with torch.device("meta"):
            model = config.build()
        label = "VQA LLM" if isinstance(model, VQAModel) else "search model"
        others = f"{label}: projectors, heads and decoders"
        for name, child in model.named_children():
            if name == "llm":
                on_device, on_host = _llm_bytes(model, setting)
                parts[f"{label}: language model"] = on_device
                host += on_host
            elif name == "vision_tower":
                if place == 0 or not shared_tower:
                    parts[f"{label}: vision tower"] = _bytes(child, setting.dtype)
            else:
                parts[others] = parts.get(others, 0) + _bytes(child, setting.dtype)
        own = sum(p.numel() for p in model.parameters(recurse=False))  # the newline
        parts[others] = parts.get(others, 0) + own * setting.dtype.itemsize
        question = max(question, _question_bytes(config, setting, cache_mb))
    return Need(parts, question, host)


def need_lines(need: Need, setting: Setting, free: int | None = None) -> list[str]:
    """A table: part, memory."""
    unit, name = (GIB, "GiB") if need.total >= GIB else (2**20, "MiB")
    rows = [*need.parts.items(), ("one question", need.question), ("in all", need.total)]
    rows += [("on the host", need.host)] * bool(need.host)
    rows += [] if free is None else [("free", free)]
    return [
        f"expected memory ({setting}), {name}:",
        *(f"  {part:<44}{size / unit:10.2f}" for part, size in rows),
    ]


def least_offload(
    configs: Sequence[VQAModelConfig | VSMModelConfig],
    setting: Setting,
    free: int,
    *,
    shared_tower: bool = False,
    cache_mb: int = 4096,
) -> int:
    """The fewest blocks of each language model on the host with which the rest fits `free` bytes.

    Raises:
        ValueError: it does not fit with all of them there.
    """
    options: dict[str, Any] = {"shared_tower": shared_tower, "cache_mb": cache_mb}
    most = min(config.llm.num_hidden_layers for config in configs)
    least = Setting(setting.dtype, setting.quantization, most)
    need = expected_need(configs, Setting(setting.dtype, setting.quantization), **options)
    if need.total <= free:
        return 0
    blocks = expected_need(configs, least, **options).host // most  # one of each model
    # One block at a time comes to the device in its turn.
    offload = -(-(need.total + blocks - free) // blocks)
    if offload > most:
        raise ValueError(
            f"{(need.total - (most - 1) * blocks) / GIB:.1f} GiB are needed with every block on "
            f"the host, and {free / GIB:.1f} GiB are free"
        )
    return offload


def quantized_bytes(weight: torch.Tensor, quantization: str) -> int:
    """Of a packed (out, in) weight with what bitsandbytes keeps beside it."""
    if quantization == "int8":
        return weight.numel() + 4 * weight.shape[0]
    blocks = -(-weight.numel() // _NF4_BLOCK)
    return -(-weight.numel() // 2) + blocks + 4 * -(-blocks // _NF4_GROUP) + _NF4_TABLES


def _llm_bytes(model: VLM, setting: Setting) -> tuple[int, int]:
    """On the device and on the host."""
    on_device = on_host = 0
    layers = model.llm.model.layers
    kept = len(layers) - setting.offload
    for number, layer in enumerate(layers):
        size = 0
        for module in layer.modules():
            if isinstance(module, nn.Linear) and setting.quantization is not None:
                size += quantized_bytes(module.weight, setting.quantization)
            else:
                own = sum(p.numel() for p in module.parameters(recurse=False))
                size += own * setting.dtype.itemsize
        if number < kept:
            on_device += size
        else:
            on_host += size
    blocks = sum(p.numel() for p in layers.parameters())
    rest = sum(p.numel() for p in model.llm.parameters()) - blocks
    return on_device + rest * setting.dtype.itemsize, on_host


def _question_bytes(
    config: VQAModelConfig | VSMModelConfig, setting: Setting, cache_mb: int
) -> int:
    """Of one question: keys and values, crops that are remembered, activations."""
    llm = config.llm
    per_position = key_value_bytes(llm, setting)
    workspace = WORKSPACE * min(1.0, (llm.hidden_size / 4096))
    if isinstance(config, VQAModelConfig):
        # The prompt is read once; then each option has a copy of what was read.
        positions = visual_positions(config) + QUESTION_TOKENS
        return int(per_position * positions * (1 + OPTIONS) + workspace)
    crop = per_position * (config.vision.num_tokens + QUESTION_TOKENS // 4)
    return int(min(VISITS * crop, cache_mb << 20) + 2 * crop + workspace)


def key_value_bytes(llm: LlmConfig, setting: Setting) -> int:
    """Keys and values of one position, in all layers."""
    size = llm.key_value_heads * llm.head_width * setting.dtype.itemsize
    return 2 * llm.num_hidden_layers * size


def visual_positions(config: VQAModelConfig) -> int:
    """The most that pictures take: an image and crops, or one image in tiles at its finest."""
    tokens, side = config.vision.num_tokens, config.vision.grid_size
    if config.tiles is None:
        return (1 + CROPS) * tokens
    return tokens + max(rows * side * (columns * side + 1) for columns, rows in config.tiles.grids)


def _bytes(module: nn.Module, dtype: torch.dtype) -> int:
    return sum(p.numel() for p in module.parameters()) * dtype.itemsize
