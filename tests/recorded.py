"""A stand-in for CUDA graphs that works anywhere: replaying calls the function again.

As with a graph, inputs and outputs stay where they are, and nothing but their contents changes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from seal.inference.graphs import Function, Recording


class Recorder:
    """Notes what it records; `host_syncs` may count what a recorded function reads."""

    def __init__(self) -> None:
        self.recorded: list[tuple[Function, tuple[Tensor, ...]]] = []

    def __call__(self, function: Function, inputs: tuple[Tensor, ...]) -> Recording:
        self.recorded.append((function, inputs))
        outputs = function(*inputs)

        @torch.inference_mode()
        def replay() -> None:
            for old, new in zip(tree_leaves(outputs), tree_leaves(function(*inputs)), strict=True):
                assert old.shape == new.shape and old.dtype == new.dtype
                old.copy_(new)

        return Recording(replay, outputs)
