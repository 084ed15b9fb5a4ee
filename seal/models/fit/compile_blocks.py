"""Compile the blocks of the language model: one compilation serves them all."""

from __future__ import annotations

import inspect
import os
import shutil
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from seal.models.vlm import VLM

# Variants of a block: the first or a later one, training or not, one row or several, with or
# without a mask. Past dynamo's own limit of 8 it would quietly go back to uncompiled code.
_VARIANTS = 64


def compile_blocks(model: VLM, backend: str = "inductor") -> None:
    """Compile what each block of the language model computes, in place; the first pass is slow.

    Sizes are dynamic: a batch of another length is not compiled again. A block that is recomputed
    in the backward pass still is, and hooks on a block stay outside of what is compiled.
    Numbers agree with the uncompiled model's up to rounding.

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
    for block in model.llm.model.layers:
        # transformers wraps the method: with checkpointing (in some versions) and with renamed
        # arguments. What is compiled is what it wraps, which all blocks share.
        plain = inspect.unwrap(type(block).forward)
        if block.gradient_checkpointing:
            block.gradient_checkpointing = False  # or it would be recomputed twice
            plain = _recomputed(plain)
        block.forward = partial(torch.compile(plain, dynamic=True, backend=backend), block)


@cache
def _recomputed(plain: Callable[..., Any]) -> Callable[..., Any]:
    """One function for all blocks. The checkpoint lies inside of what is compiled: outside, the
    tensors that the first, compiling pass keeps are not those of the second."""

    def forward(block: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if not (block.training and torch.is_grad_enabled()):
            return plain(block, *args, **kwargs)
        return checkpoint(partial(plain, block, **kwargs), *args, use_reentrant=False)

    return forward


def require_compiler() -> None:
    """Before hours of training: the default backend calls a compiler, on GPUs as well."""
    known = [name for name in (os.environ.get("CXX"), "g++", "clang++") if name]
    if not any(map(shutil.which, known)):
        raise ValueError(
            f"train.compile=true needs a C++ compiler, and none of {', '.join(known)} is on the "
            "path: install g++, or set train.compile=false"
        )
