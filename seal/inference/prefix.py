"""Run a language model behind a shared beginning: its keys and values are computed once.

Questions about one image share everything up to the image's last token; options of one question
share the whole prompt. Must agree with a pass over the whole sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from seal.models.vlm import VLM


@dataclass(frozen=True, slots=True)
class Prefix:
    """The beginnings of B sequences, P positions wide. Never changed: extending copies."""

    layers: tuple[tuple[Tensor, Tensor], ...]  # keys and values, (B, heads, P, head size) each
    mask: Tensor  # (B, P) bool: False at padding
    next_position: Tensor  # (B,) int64: of the first token that follows

    def rows(self, index: Tensor) -> Prefix:
        """Some of the sequences, in any order and as often as wanted; copies."""
        layers = tuple((keys[index], values[index]) for keys, values in self.layers)
        return Prefix(layers, self.mask[index], self.next_position[index])

    def cache(self) -> DynamicCache:
        """A copy the language model may append to."""
        cache = DynamicCache()
        for index, (keys, values) in enumerate(self.layers):
            cache.update(keys, values, index)
        return cache


def read_prefix(
    vlm: VLM, embeddings: Tensor, mask: Tensor, positions: Tensor
) -> tuple[Prefix, Tensor]:
    """embeddings: (B, P, D), mask and positions: (B, P); padded on either side.

    Returns the prefix, and (B, D): the last real state of each row, which predicts what follows.
    """
    cache = DynamicCache()
    hidden = vlm.read(
        cache, inputs_embeds=embeddings, attention_mask=mask.long(), position_ids=positions
    )
    filled: list[Any] = cache.layers  # of attention: each has keys and values
    layers = tuple((layer.keys, layer.values) for layer in filled)
    last = _last(mask)
    rows = torch.arange(len(mask), device=mask.device)
    return Prefix(layers, mask, positions[rows, last] + 1), hidden[rows, last]


def extend(vlm: VLM, prefix: Prefix, ids: Tensor, mask: Tensor) -> Tensor:
    """ids, mask: (B, L), padded on the right -> (B, L, D) states of what follows the prefix."""
    return vlm.read(
        prefix.cache(),
        input_ids=ids,
        attention_mask=torch.cat([prefix.mask, mask], dim=1).long(),
        position_ids=prefix.next_position[:, None] + (mask.cumsum(1) - 1).clamp(min=0),
    )


def padded_ids(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids -> (B, longest) on the device, padded on the right, and (B,) lengths, here."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.int64)
    for own, row in zip(ids, rows, strict=True):
        own[: len(row)] = torch.tensor(row, dtype=torch.int64)
    return ids.to(device, non_blocking=True), lengths


def pad_right(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids -> ids and mask, both (B, longest) on the device."""
    ids, lengths = padded_ids(rows, device)
    mask = torch.arange(ids.shape[1]) < lengths[:, None]
    return ids, mask.to(device)


def _last(mask: Tensor) -> Tensor:
    """(B, L) bool -> (B,): the last True of each row."""
    steps = torch.arange(mask.shape[1], device=mask.device)
    return (steps * mask).argmax(1)
