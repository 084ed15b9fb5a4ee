"""Keep blocks of the language model on the host and send each to the device when it is its turn.

The last resort where not even quantized weights fit: every pass moves them all once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from seal.models.vlm import VLM


def offloaded_blocks(model: VLM, count: int) -> tuple[str, ...]:
    """The prefixes of the keys of the last `count` blocks.

    Raises:
        ValueError: there are not so many.
    """
    blocks = len(model.llm.model.layers)
    if not 0 <= count <= blocks:
        raise ValueError(f"offload={count}: the language model has {blocks} blocks")
    return tuple(f"llm.model.layers.{i}." for i in range(blocks - count, blocks))


def offload_blocks(model: VLM, prefixes: Sequence[str], device: torch.device) -> None:
    """Make the blocks of `offloaded_blocks`, whose weights are on the host, run on `device`."""
    if not prefixes:
        return
    from accelerate import cpu_offload

    for prefix in prefixes:
        cpu_offload(model.get_submodule(prefix.rstrip(".")), execution_device=device)
