"""Attention behind beginnings that many rows share: keys and values are read where they lie.

A pass of the language model is given one of two: `Beginnings`, which reads the beginnings
themselves and stores them, or `Behind`, which stands behind stored ones. Neither copies them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class PrefixUse(Protocol):
    """What a pass does with stored beginnings."""

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float
    ) -> Tensor:
        """query: (B, heads, L, d), key and value: (B, H, L, d), each of whose H heads serves a
        group -> (B, L, heads, d)."""
        ...


class KeepsOwn(Protocol):
    """Where the keys and values of rows stay."""

    def add(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """(B, H, L, d) each -> those that the new positions may look at, these included."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring rows of a pass, and the neighbouring slots they stand behind."""

    rows: slice
    repeat: int  # rows behind each slot
    keys: Tensor  # (layers, slots, H, P, d): a view of where they are kept
    values: Tensor


@dataclass(slots=True)
class Beginnings:
    """Each row begins with P positions that are kept; what follows them is read along."""

    length: int  # P
    runs: Sequence[Run]

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float
    ) -> Tensor:
        """See `PrefixUse`. Rows are padded on the right, where nobody looks."""
        for run in self.runs:
            run.keys[layer].copy_(key[run.rows, :, : self.length])
            run.values[layer].copy_(value[run.rows, :, : self.length])
        out = F.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scaling,
            enable_gqa=query.shape[1] != key.shape[1],
        )  # fmt: skip
        return out.transpose(1, 2)


@dataclass(slots=True)
class Behind:
    """Each row stands behind a stored beginning, which it sees whole, and sees itself causally."""

    runs: Sequence[Run]  # of all rows, in order
    own: KeepsOwn | None = None  # where the rows' own are kept, for what comes behind them
    hidden: Tensor | None = None  # (B, S) bool: positions of the rows' own that nobody may see

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scaling: float
    ) -> Tensor:
        """See `PrefixUse`."""
        heads, length = key.shape[1], query.shape[2]
        if self.own is not None:
            key, value = self.own.add(layer, key, value)
        # Scaled first: in half precision the products could be too large. The heads of a group
        # become more positions of the head that serves them.
        query = (query * scaling).unflatten(1, (heads, -1)).flatten(2, 3)  # (B, H, groups * L, d)
        mine = query @ key.transpose(2, 3)  # (B, H, groups * L, S)
        if (unseen := self._unseen(length, mine)) is not None:
            mine = mine.masked_fill(unseen, -torch.inf)
        theirs = torch.cat([_scores(query[run.rows], run, layer) for run in self.runs])
        weights = torch.cat([theirs, mine], dim=-1).float().softmax(-1)
        weights = weights.to(value.dtype)
        width = theirs.shape[-1]
        out = weights[..., width:] @ value
        out += torch.cat([_mixed(weights[run.rows, ..., :width], run, layer) for run in self.runs])
        # (B, H, groups * L, d) -> (B, L, heads, d)
        return out.unflatten(2, (-1, length)).flatten(1, 2).transpose(1, 2)

    def _unseen(self, length: int, scores: Tensor) -> Tensor | None:
        """What of the rows' own (B, 1, groups * L, S) may not be seen; None: all may be."""
        unseen, seen = None, scores.shape[-1]
        if length > 1:
            ones = torch.ones(length, seen, dtype=torch.bool, device=scores.device)
            unseen = ones.triu(1 + seen - length).repeat(scores.shape[2] // length, 1)
        if self.hidden is not None:
            hidden = self.hidden[:, None, None, :seen]
            unseen = hidden if unseen is None else unseen | hidden
        return unseen


@dataclass(slots=True)
class OwnStates:
    """Keys and values of what rows have read behind a beginning, with room for what follows."""

    room: int  # positions
    start: int = 0  # where the next pass writes
    _layers: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def add(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """(B, H, L, d) each -> all there are of this layer, the new ones last."""
        end = self.start + key.shape[2]
        if layer == len(self._layers):
            self._layers.append((self._made(key), self._made(value)))
        kept = self._layers[layer]
        if end > kept[0].shape[2]:
            self.room = max(end, 2 * kept[0].shape[2])
            kept = self._layers[layer] = (self._grown(kept[0]), self._grown(kept[1]))
        for whole, new in zip(kept, (key, value), strict=True):
            whole[:, :, self.start : end] = new
        return kept[0][:, :, :end], kept[1][:, :, :end]

    def _made(self, like: Tensor) -> Tensor:
        rows, heads, length, width = like.shape
        return like.new_empty(rows, heads, max(self.room, length), width)

    def _grown(self, old: Tensor) -> Tensor:
        new = self._made(old)
        new[:, :, : self.start] = old[:, :, : self.start]
        return new


def prefix_inputs(use: PrefixUse, like: Tensor) -> dict[str, Any]:
    """What a language model is given so that its attention does what `use` says."""
    # Four dimensions: transformers takes it for a finished mask and makes none of its own.
    return {"attention_mask": like.new_zeros((1, 1, 0, 0)), "prefix_use": use, "use_cache": False}


def _scores(query: Tensor, run: Run, layer: int) -> Tensor:
    """(slots * repeat, H, L, d) -> (slots * repeat, H, L, P)."""
    return _apart(_together(query, run.repeat) @ run.keys[layer].transpose(2, 3), run.repeat)


def _mixed(weights: Tensor, run: Run, layer: int) -> Tensor:
    """(slots * repeat, H, L, P) -> (slots * repeat, H, L, d)."""
    return _apart(_together(weights, run.repeat) @ run.values[layer], run.repeat)


def _together(rows: Tensor, repeat: int) -> Tensor:
    """Rows behind one slot as more positions of one row: (n * r, H, L, x) -> (n, H, r * L, x)."""
    return rows if repeat == 1 else rows.unflatten(0, (-1, repeat)).transpose(1, 2).flatten(2, 3)


def _apart(rows: Tensor, repeat: int) -> Tensor:
    """The opposite of `_together`."""
    return rows if repeat == 1 else rows.unflatten(2, (repeat, -1)).transpose(1, 2).flatten(0, 1)
