"""Activation checkpointing of the language model: which of its blocks are run a second time."""

from __future__ import annotations

from typing import Any

from seal.models.vlm import VLM


def recomputed_blocks(num_blocks: int, every: int = 1) -> list[int]:
    """The blocks of which only the input is kept: every `every`-th, the first among them.

    The others keep their activations, so one more block kept is one less run in the backward
    pass. The last block is kept where there is a choice: its activations are needed first.
    """
    if every < 1:
        raise ValueError(f"blocks are recomputed every n-th, n at least 1, got {every}")
    return list(range(0, num_blocks, every))


def recompute_blocks(model: VLM, every: int = 1) -> None:
    """Recompute every `every`-th block of the language model in the backward pass, in place.

    No number changes: a block that is recomputed draws the same dropout.
    """
    llm: Any = model.llm
    blocks = llm.model.layers
    chosen = set(recomputed_blocks(len(blocks), every))
    enable = getattr(llm, "activation_checkpointing_enable", None)  # its name before 5.20:
    (enable or llm.gradient_checkpointing_enable)({"use_reentrant": False})
    # Set by hand: `every_n_layers` of the call above came with 5.20 as well.
    for index, block in enumerate(blocks):
        block.gradient_checkpointing = index in chosen
