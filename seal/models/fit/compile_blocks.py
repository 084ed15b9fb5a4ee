"""Compile the blocks of the language model: one compilation serves them all."""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

from seal.models.parts.packed_attention import attend
from seal.models.parts.row_dropout import RowDropout
from seal.models.vlm import VLM

# Variants of a block: the first or a later one, training or not, one row or several, with or
# without a mask. Past dynamo's own limit of 8 it would quietly go back to uncompiled code.
_VARIANTS = 64
_ATTENTION = "seal_documents_apart"


def compile_blocks(model: VLM, backend: str = "inductor") -> None:
    """Compile what each block of the language model computes, in place; the first pass is slow.

    Attention stays apart, it is a fused kernel already. Sizes are dynamic: a batch of another
    length, or of other documents, is not compiled again. A block that is recomputed in the
    backward pass still is, and hooks on a block stay outside of what is compiled. Numbers agree
    with the uncompiled model's up to rounding.

    Not under ZeRO-3, which gathers the weights of each layer in hooks inside of the block.

    Args:
        backend: of `torch.compile`; the default needs a C++ compiler, and Triton on a GPU.

    Raises:
        ValueError: there is no C++ compiler.
    """
    if backend == "inductor":
        require_compiler()
    config: Any = torch._dynamo.config
    limit = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"
    setattr(config, limit, max(getattr(config, limit), _VARIANTS))
    llm: Any = model.llm
    llm.config._attn_implementation = _ATTENTION
    for module in llm.modules():
        if isinstance(module, RowDropout):
            module.take_layer_as_tensor()
    for block in llm.model.layers:
        # transformers wraps the method: with checkpointing (in some versions) and with renamed
        # arguments. What is compiled is what it wraps, which all blocks share.
        plain = inspect.unwrap(type(block).forward)
        compiled = partial(torch.compile(plain, dynamic=True, backend=backend), block)
        block.forward = _block(block, compiled, recomputed=block.gradient_checkpointing)
        block.gradient_checkpointing = False  # or it would be recomputed twice


class _Apart:
    """Which documents the block that runs attends to: lists a compiler would be tied to."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}

    @torch.compiler.disable
    def attend(
        self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor,
        attention_mask: Tensor | None, **kwargs: Any,
    ) -> tuple[Tensor, None]:  # fmt: skip
        return attend(module, query, key, value, attention_mask, **kwargs, **self.documents)


_apart = _Apart()
AttentionInterface.register(_ATTENTION, _apart.attend)
AttentionMaskInterface.register(_ATTENTION, sdpa_mask)


def _block(block: nn.Module, compiled: Callable[..., Any], *, recomputed: bool) -> Any:
    def run(*args: Any, **kwargs: Any) -> Any:
        _apart.documents = {
            name: kwargs.pop(name) for name in list(kwargs) if name.startswith("document_")
        }
        return compiled(*args, **kwargs)

    def forward(*args: Any, **kwargs: Any) -> Any:
        if recomputed and block.training and torch.is_grad_enabled():
            return checkpoint(partial(run, **kwargs), *args, use_reentrant=False)
        return run(*args, **kwargs)

    return forward


def require_compiler() -> None:
    """Before hours of training: the default backend calls a compiler, on GPUs as well."""
    known = [name for name in (os.environ.get("CXX"), "g++", "clang++") if name]
    if not any(map(shutil.which, known)):
        raise ValueError(
            f"train.compile=true needs a C++ compiler, and none of {', '.join(known)} is on the "
            "path: install g++, or set train.compile=false"
        )
