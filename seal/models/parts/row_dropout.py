"""Dropout that does not depend on how rows are distributed over batches and processes.

Each element is kept or not by a hash of (seed, step, conversation, layer, position, feature): pure
tensor operations, so that nothing waits for the host and a compiler can read them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Odd multipliers whose bits look random: of splitmix64, and of Steele and Vigna's 32-bit list.
_MIX64 = (-0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15)
_MIX32 = (0x21F0AAAD, 0x735A2D97)
_STEP, _LAYER = 0x632BE59BD9B4E019, -0x61C8864680B583EB
_BITS = 24  # of a draw


class RowSeeds:
    """One number a position for the step that runs."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.keys: Tensor | None = None  # (B, L) int64

    def begin(self, step: int, row_keys: Tensor, position_ids: Tensor) -> None:
        """Name the positions of the batch that comes next. Both (B, L) int64."""
        drawn_from = _wrapped(self.seed * _LAYER + step * _STEP)
        self.keys = mix64(mix64(row_keys + drawn_from) + position_ids)


class RowDropout(nn.Module):
    """Dropout whose mask is a function of the position's number and the layer."""

    def __init__(self, p: float, layer: int, seeds: RowSeeds) -> None:
        super().__init__()
        self.p = p
        self.layer: int | Tensor = _wrapped((layer + 1) * _LAYER)
        self.seeds = seeds

    def take_layer_as_tensor(self) -> None:
        """Before compilation: a number would be compiled into each layer's own code."""
        number = self.layer
        del self.layer
        self.register_buffer("layer", torch.tensor(number), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, L, D)."""
        if not self.training or self.p == 0:
            return x
        keys = self.seeds.keys
        if keys is None or keys.shape != x.shape[:2]:
            told = None if keys is None else tuple(keys.shape)
            raise RuntimeError(
                f"dropout was told of positions {told} but sees {tuple(x.shape[:2])}"
            )
        keep = uniform_bits(keys, x.shape[-1], self.layer) >= round(self.p * 2**_BITS)
        # Scaled last: 1 / (1 - p) itself is not exact in bfloat16.
        return x * keep * (1 / (1 - self.p))


def uniform_bits(keys: Tensor, size: int, layer: int | Tensor) -> Tensor:
    """(B, L) int64 numbers -> (B, L, size) int32, uniform in [0, 2**24); `layer`: any int64."""
    rows = mix64(keys + layer).to(torch.int32)  # its low bits
    columns = mix64(torch.arange(1, size + 1, device=keys.device) * _STEP).to(torch.int32)
    return mix32(rows[..., None] + columns) >> (31 - _BITS) & (2**_BITS - 1)


def mix64(x: Tensor) -> Tensor:
    """A bijection of int64 whose output looks random (the finalizer of splitmix64)."""
    for shift, multiplier in zip((30, 27), _MIX64, strict=True):
        x = (x ^ _shifted(x, shift, 64)) * multiplier
    return x ^ _shifted(x, 31, 64)


def mix32(x: Tensor) -> Tensor:
    """The same of int32 ("triple32" with two rounds)."""
    for shift, multiplier in zip((16, 15), _MIX32, strict=True):
        x = (x ^ _shifted(x, shift, 32)) * multiplier
    return x ^ _shifted(x, 15, 32)


def _shifted(x: Tensor, by: int, width: int) -> Tensor:
    """Shifted right with zeros; torch's own shift copies the sign."""
    return (x >> by) & ((1 << (width - by)) - 1)


def _wrapped(value: int) -> int:
    """A whole number as int64 would hold it."""
    return (value + 2**63) % 2**64 - 2**63
