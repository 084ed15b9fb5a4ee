"""What an image-text model takes, told before its weights are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from seal.models.fit.memory import (
    CROPS,
    GIB,
    OPTIONS,
    QUESTION_TOKENS,
    WORKSPACE,
    Need,
    Setting,
    need_lines,
    quantized_bytes,
)
from seal.models.fit.quantize import QUANTIZATIONS

PICTURE = (1024, 1024)  # height, width of the picture that is reckoned with
UNKNOWN_TOKENS = 1024  # of such a picture, where the processor does not tell


def require_room(
    skeleton: nn.Module,
    processor: Any,
    name: str,
    *,
    dtype: torch.dtype,
    quantization: str | None,
    free: int | None,
    device: str,
    tell: Callable[[str], None],
) -> Need:
    """Tell what the model takes; `skeleton` is it on the meta device.

    Args:
        free: bytes left on the device; None: it is spread over several, nothing is refused.

    Raises:
        ValueError: the weights do not fit; with what would.
    """
    need = expected_need(skeleton, processor, dtype=dtype, quantization=quantization)
    for line in need_lines(need, Setting(dtype, quantization), free):
        tell(line)
    if free is None or need.weights <= free:
        return need
    ways = []
    for other in QUANTIZATIONS:
        if other != quantization:
            total = expected_need(skeleton, processor, dtype=dtype, quantization=other).total
            if total <= free:
                ways.append(f"quantization={other} ({total / GIB:.1f} GiB)")
    if dtype == torch.float32 and quantization is None:
        ways.append("dtype=bfloat16")
    ways.append('device_map="auto" (spread over all devices and the host)')
    raise ValueError(
        f"{name} in {Setting(dtype, quantization)} has {need.weights / GIB:.1f} GiB of weights, "
        f"and {free / GIB:.1f} GiB are free on {device}: use {' or '.join(ways)}"
    )


def expected_need(
    skeleton: nn.Module, processor: Any, *, dtype: torch.dtype, quantization: str | None
) -> Need:
    """Bytes of weights by part, and of one question at a time."""
    blocks = text_blocks(skeleton)
    inside = {id(p) for p in blocks.parameters()}
    packed = sum(
        quantized_bytes(m.weight, quantization)
        if quantization is not None and isinstance(m, nn.Linear)
        else sum(p.numel() for p in m.parameters(recurse=False)) * dtype.itemsize
        for m in blocks.modules()
    )
    rest = sum(p.numel() for p in skeleton.parameters() if id(p) not in inside) * dtype.itemsize
    parts = {
        "language model: blocks": packed,
        "embeddings, head, vision tower, projector": rest,
    }
    return Need(parts, _question_bytes(skeleton, processor, dtype))


def text_blocks(model: nn.Module) -> nn.Module:
    """The blocks of the language model: its longest list of modules with attention."""
    decoder = _decoder(model)
    lists = [m for m in decoder.modules() if isinstance(m, nn.ModuleList)]
    return max(lists, key=lambda m: sum(p.numel() for p in m.parameters()), default=decoder)


def kept_whole(model: nn.Module) -> list[str]:
    """Names of the parts that are not quantized: whatever does not lie in the text's blocks."""
    path = next(name for name, m in model.named_modules() if m is text_blocks(model))
    names, at = [], model
    for depth, step in enumerate(path.split(".")):
        before = path.split(".")[:depth]
        names += [".".join([*before, name]) for name, _ in at.named_children() if name != step]
        at = getattr(at, step)
    return names


def _decoder(model: nn.Module) -> nn.Module:
    for name in ("language_model", "model.language_model", "model.text_model", "model"):
        try:
            return model.get_submodule(name)
        except AttributeError:
            continue
    return model


def _question_bytes(model: Any, processor: Any, dtype: torch.dtype) -> int:
    """The prompt is read once; then each option has a copy of what was read."""
    text = model.config.get_text_config(decoder=True)
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    per_position = 2 * text.num_hidden_layers * heads * size * dtype.itemsize
    positions = (1 + CROPS) * _picture_tokens(processor) + QUESTION_TOKENS
    workspace = WORKSPACE * min(1.0, text.hidden_size / 4096)
    return int(per_position * positions * (1 + OPTIONS) + workspace)


def _picture_tokens(processor: Any) -> int:
    try:
        (tokens,) = processor._get_num_multimodal_tokens([PICTURE])["num_image_tokens"]
    except (AttributeError, KeyError, TypeError, ValueError):
        return UNKNOWN_TOKENS
    return int(tokens)
