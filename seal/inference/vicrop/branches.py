"""Several continuations of one beginning, packed into one row: none of them sees another.

What was read of the image stays where it is: no key or value is copied for a second question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Branches:
    """U rows of up to Q branches each, S positions wide, behind P positions that are in a cache."""

    ids: Tensor  # (U, S) int64, padded on the right
    owner: Tensor  # (U, S) int64: the branch a position is of, -1 at padding
    sees: Tensor  # (U, 1, S, P + S) bool: the keys each position attends to
    positions: Tensor  # (U, S) int64
    ends: Tensor  # (U, Q) int64: the last position of each branch; 0 where a row has fewer

    @property
    def num_tokens(self) -> int:
        """Tokens read, padding not counted."""
        return int((self.owner >= 0).sum())


def pack(tails: Sequence[Sequence[Sequence[int]]], mask: Tensor, next_position: Tensor) -> Branches:
    """Lay out the branches of each row behind its beginning.

    Args:
        tails: of each row, the token ids of its branches, none of them empty.
        mask: (U, P) bool, False at the padding of the beginnings.
        next_position: (U,) of the first token behind each beginning.
    """
    width = max(sum(map(len, row)) for row in tails)
    ids = torch.zeros(len(tails), width, dtype=torch.int64)
    owner = torch.full_like(ids, -1)
    offset = torch.zeros_like(ids)
    ends = torch.zeros(len(tails), max(map(len, tails)), dtype=torch.int64)
    for u, row in enumerate(tails):
        start = 0
        for q, tail in enumerate(row):
            end = start + len(tail)
            ids[u, start:end] = torch.tensor(tail, dtype=torch.int64)
            owner[u, start:end] = q
            offset[u, start:end] = torch.arange(len(tail))
            ends[u, q] = end - 1
            start = end
    device = mask.device
    ids, owner, offset, ends = (t.to(device) for t in (ids, owner, offset, ends))
    return Branches(
        ids,
        owner,
        _sees(owner, owner, mask),
        next_position[:, None] + offset,
        ends,
    )


def continued(branches: Branches, rows: Sequence[Sequence[int]], mask: Tensor) -> Branches:
    """One more token behind each branch, once `branches` are in the cache as well.

    rows: the token of each branch; mask: (U, P) of the beginnings.
    """
    device = branches.ids.device
    ids, owner = torch.zeros_like(branches.ends), torch.full_like(branches.ends, -1)
    for u, row in enumerate(rows):
        ids[u, : len(row)] = torch.tensor(row, device=device)
        owner[u, : len(row)] = torch.arange(len(row), device=device)
    before = _sees(owner, branches.owner, mask, causal=False)
    itself = torch.eye(ids.shape[1], dtype=torch.bool, device=device).expand(len(ids), 1, -1, -1)
    positions = branches.positions.gather(1, branches.ends) + 1
    ends = torch.arange(ids.shape[1], device=device).expand(len(ids), -1)
    return Branches(ids, owner, torch.cat([before, itself], dim=-1), positions, ends)


def _sees(queries: Tensor, keys: Tensor, mask: Tensor, *, causal: bool = True) -> Tensor:
    """queries (U, S), keys (U, T): their branches; mask (U, P) -> (U, 1, S, P + T) bool."""
    same = queries[:, :, None] == keys[:, None]
    if causal:
        same = same.tril()
    # Padding attends to the beginning too: a row of the softmax must not be empty.
    beginning = mask[:, None].expand(-1, queries.shape[1], -1)
    return torch.cat([beginning, same & (queries >= 0)[:, :, None]], dim=-1)[:, None]
