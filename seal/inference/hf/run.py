"""Run an image-text model on a batch of prompts and on what follows them.

A prompt is read once; whatever follows it continues from its keys and values. Where the model keeps
something else than keys and values (linear attention), what follows is read with its prompt anew.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, cache_utils
from transformers.models.llama.modeling_llama import LlamaModel

from seal.inference.hf.encode import Encoded, Row, collate
from seal.inference.hf.model import HFModel
from seal.inference.hf.positions import next_positions
from seal.inference.prefix import pad_right

# What models call the keys and values they are given: renamed in transformers 5.24.
_CACHE = "cache" if "cache" in signature(LlamaModel.forward).parameters else "past_key_values"


# Layers of keys and values, and those that read the keys of another (Gemma 4; newer versions).
_SHARED = (
    cache_utils.DynamicLayer,
    cache_utils.DynamicSlidingWindowLayer,
    getattr(cache_utils, "DummyLayer", None),
)


@dataclass(frozen=True, slots=True)
class Prefix:
    """What was read of B prompts of P positions."""

    cache: DynamicCache
    mask: Tensor  # (B, P) bool: False at padding
    next_position: Tensor  # (B,) int64

    def rows(self, index: Tensor) -> Prefix:
        """Some of the prompts, in any order and as often as wanted; copies."""
        cache = copy.copy(self.cache)
        cache.layers = [copy.copy(layer) for layer in self.cache.layers]
        cache.batch_select_indices(index.cpu())  # layers may lie on several devices
        return Prefix(cache, self.mask[index], self.next_position[index])

    @property
    def is_shared(self) -> bool:
        """Whether several continuations can begin from it: it holds keys and values alone."""
        return all(type(layer) in _SHARED for layer in self.cache.layers)


def read(hf: HFModel, encoded: Encoded) -> tuple[Prefix, Tensor]:
    """The prompts, and (B, V) float32: logits of the token behind each."""
    cache = DynamicCache(config=hf.text_config)
    logits = _forward(hf, cache, encoded.inputs, keep=1)
    return Prefix(cache, encoded.mask, encoded.next_position), logits[:, -1].float()


def extend(hf: HFModel, prefix: Prefix, ids: Tensor, mask: Tensor) -> Tensor:
    """ids, mask: (B, L), padded on the right -> (B, L, V) logits; the prefix grows by them."""
    inputs = {
        "input_ids": ids,
        "attention_mask": torch.cat([prefix.mask, mask], dim=1).long(),
        "position_ids": next_positions(prefix.next_position, mask, hf.family.axes),
    }
    return _forward(hf, prefix.cache, inputs, keep=0)


def followed(row: Row, ids: Sequence[int]) -> Row:
    """A prompt with tokens of text behind it."""
    more = torch.tensor(list(ids))
    behind = {"input_ids": more, "attention_mask": torch.ones_like(more)}
    tokens = {
        key: torch.cat([value, behind.get(key, torch.zeros_like(more)).to(value.dtype)])
        for key, value in row.tokens.items()
    }
    steps = int(row.positions.max()) + 1 + torch.arange(len(more))
    positions = torch.cat([row.positions, steps.expand(*row.positions.shape[:-1], -1)], dim=-1)
    return replace(row, tokens=tokens, positions=positions)


def read_whole(hf: HFModel, rows: Sequence[Row], following: Sequence[Sequence[int]]) -> Tensor:
    """Logits of what follows each row, (B, L, V) padded on the left, from one pass over it all."""
    whole = [followed(row, ids) for row, ids in zip(rows, following, strict=True)]
    longest = max(map(len, following))
    cache = DynamicCache(config=hf.text_config)
    return _forward(hf, cache, collate(hf, whole).inputs, keep=longest + 1)[:, :-1]


def continue_greedily(
    hf: HFModel, prefix: Prefix, logits: Tensor, max_new_tokens: int
) -> list[list[int]]:
    """The likeliest tokens behind each prompt, its end included if it comes; logits: (B, V)."""
    rows: list[list[int]] = [[] for _ in logits]
    going = torch.ones(len(logits), dtype=torch.bool, device=logits.device)
    for step in range(max_new_tokens):
        ids = logits.argmax(-1)
        for row, token, open_ in zip(rows, ids.tolist(), going.tolist(), strict=True):
            if open_:
                row.append(token)
        ended = torch.tensor([row[-1] in hf.end_ids for row in rows], device=going.device)
        going = going & ~ended
        if step + 1 == max_new_tokens or not going.any():
            break
        mask = torch.ones_like(ids, dtype=torch.bool)[:, None]
        logits = extend(hf, prefix, ids[:, None], mask)[:, -1].float()
        prefix = Prefix(
            prefix.cache, torch.cat([prefix.mask, mask], dim=1), prefix.next_position + 1
        )
    return rows


def padded(rows: Sequence[Sequence[int]], hf: HFModel) -> tuple[Tensor, Tensor]:
    """Token lists -> ids and mask, both (B, longest), padded on the right."""
    return pad_right(rows, hf.device)


def _forward(hf: HFModel, cache: DynamicCache, inputs: dict[str, Tensor], *, keep: int) -> Tensor:
    """Logits of the last `keep` positions; 0: of all."""
    model: Any = hf.model
    if hf.family.text_model is not None and "pixel_values" not in inputs:
        model = getattr(hf.model, hf.family.text_model)
    given: dict[str, Any] = {**inputs, _CACHE: cache}
    logits: Tensor = model(**given, use_cache=True, logits_to_keep=keep).logits
    return logits[:, -keep:]
