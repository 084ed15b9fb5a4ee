"""Fused kernels of the package liger-kernel for the language model, where it is installed.

RMSNorm, rotary embedding and SwiGLU, not its fused linear cross-entropy: that one saves the logits
of positions nobody reads, and `supervised_logits` never makes them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from seal.models.vlm import VLM

PACKAGE = "liger_kernel"
_FAMILY = "llama"  # the only one here whose kernels were compared with the plain model
_REPLACED = ("LlamaRMSNorm", "LlamaMLP", "apply_rotary_pos_emb")


def use_liger(model: VLM, choice: str, device: torch.device) -> bool:
    """Patch the language model, in place, if `choice` says so; whether it was patched.

    Adapters and quantized weights stay in use: the linear layers themselves are called. Attention
    is not touched.

    Args:
        choice: auto (of a LLaMA, where installed, on a CUDA device) | true | false.

    Raises:
        ValueError: `true`, but the package is not installed, the device is not CUDA or the language
            model is no LLaMA.
    """
    installed = find_spec(PACKAGE) is not None
    if choice == "true" and not installed:
        raise ValueError(
            "train.liger=true needs the package liger-kernel: pip install 'seal[kernels]', or set "
            "train.liger=auto, which does without it"
        )
    if choice == "true" and device.type != "cuda":
        raise ValueError(
            f"train.liger=true needs a CUDA device, this one is {device.type}: its kernels run "
            "nowhere else; set train.liger=auto"
        )
    kind = model.llm.config.model_type
    if choice == "true" and kind != _FAMILY:
        raise ValueError(
            f"train.liger=true has kernels for language models of architecture {_FAMILY}, this "
            f"one is {kind}: set train.liger=auto, which does without them"
        )
    if choice == "false" or not installed or device.type != "cuda" or kind != _FAMILY:
        return False
    _patch(model)
    return True


def _patch(model: VLM) -> None:
    from transformers.models.llama import modeling_llama

    liger = importlib.import_module(f"{PACKAGE}.transformers")
    originals = {name: getattr(modeling_llama, name) for name in _REPLACED}
    try:
        liger.apply_liger_kernel_to_llama(
            rope=False, cross_entropy=False, fused_linear_cross_entropy=False,
            rms_norm=True, swiglu=True, model=model.llm,
        )  # fmt: skip
    finally:
        # It also replaces the classes, for models built later, on whatever device they are.
        for name, original in originals.items():
            setattr(modeling_llama, name, original)
    modeling_llama.apply_rotary_pos_emb = _on_cuda(
        liger.liger_rotary_pos_emb, originals["apply_rotary_pos_emb"]
    )


def _on_cuda(fused: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    """A rotary function for any LLaMA of the process: attention looks it up in its module."""
    original = getattr(original, "without_liger", original)

    def rotate(q: Tensor, k: Tensor, *args: Any, **kwargs: Any) -> Any:
        return (fused if q.is_cuda else original)(q, k, *args, **kwargs)

    rotate.without_liger = original  # type: ignore[attr-defined]
    return rotate
