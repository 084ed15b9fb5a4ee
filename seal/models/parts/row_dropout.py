"""Dropout that does not depend on how rows are distributed over batches and processes."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn


class RowSeeds:
    """One seed a row for the step that runs: drawn from (seed, step, sample id)."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rows: list[str] = []

    def begin(self, step: int, ids: list[str]) -> None:
        """Name the rows of the batch that comes next; rows of one sample are told apart."""
        seen: dict[str, int] = {}
        self.rows = []
        for name in ids:
            seen[name] = seen.get(name, 0) + 1
            self.rows.append(f"{self.seed}/{step}/{name}/{seen[name]}")

    def draw(self, row: int, layer: int) -> int:
        digest = hashlib.blake2b(f"{self.rows[row]}/{layer}".encode(), digest_size=7)
        return int.from_bytes(digest.digest(), "big")


class RowDropout(nn.Module):
    """Dropout whose mask is a function of the row's seed and the layer."""

    def __init__(self, p: float, layer: int, seeds: RowSeeds) -> None:
        super().__init__()
        self.p = p
        self.layer = layer
        self.seeds = seeds

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, L, D)."""
        if not self.training or self.p == 0:
            return x
        if len(self.seeds.rows) != x.shape[0]:
            raise RuntimeError(
                f"dropout was told of {len(self.seeds.rows)} rows but sees {x.shape[0]}"
            )
        keep = torch.empty_like(x)
        generator = torch.Generator(device=x.device)
        for row in range(x.shape[0]):
            generator.manual_seed(self.seeds.draw(row, self.layer))
            keep[row].bernoulli_(1 - self.p, generator=generator)
        # Scaled last: 1 / (1 - p) itself is not exact in bfloat16.
        return x * keep * (1 / (1 - self.p))
