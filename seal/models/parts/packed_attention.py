"""Attention in packed rows: each document for itself, branches of a tree only to its trunk.

Registered with transformers under a name of its own; without documents it is `sdpa`, or what
`seal.models.parts.prefix_attention` makes of it, so one model trains on packed rows, trains on
padded ones and answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from seal.batch import Document
from seal.models.parts.prefix_attention import PrefixUse

ATTENTION = "seal_documents"


def packed_inputs(
    documents: Sequence[Document], branches: Tensor | None, like: Tensor
) -> dict[str, Any]:
    """What a language model is given to read a packed row; `branches` (1, L) as in `Batch`.

    The masks of trees are made here, once for all layers.
    """
    masks: list[Tensor | None] = []
    end = 0
    for document in documents:
        begin, end = end, end + document.length
        masks.append(None)
        if document.branched:
            assert branches is not None
            masks[-1] = tree_mask(branches[0, begin:end])
    return {
        # Four dimensions: transformers takes it for a finished mask and makes none of its own.
        "attention_mask": like.new_zeros((1, 1, 0, 0)),
        "document_lengths": [document.length for document in documents],
        "document_masks": masks,
        "document_limbs": [document.limbs for document in documents],
    }


def tree_mask(branches: Tensor) -> Tensor:
    """(L,) branch of each position, 0 in the trunk -> (L, L) bool: query row, key column."""
    causal = torch.ones(len(branches), len(branches), dtype=torch.bool, device=branches.device)
    return causal.tril() & ((branches == 0) | (branches == branches[:, None]))


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    document_lengths: Sequence[int] | None = None,
    document_masks: Sequence[Tensor | None] = (),
    document_limbs: Sequence[tuple[int, ...]] = (),
    prefix_use: PrefixUse | None = None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """query: (B, heads, L, head_size), key and value: (B, H, L, head_size), each of whose H heads
    serves a group -> (B, L, heads, head_size).

    Positions behind the last document come out as zeros.
    """
    if prefix_use is not None:
        scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
        layer: Any = module.layer_idx
        return prefix_use.attend(layer, query, key, value, scaling), None
    if document_lengths is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
    rest = query.shape[2] - sum(document_lengths)
    # Split, not sliced: the gradient of a split is one concatenation.
    sizes = [*document_lengths, rest]
    parts = zip(*(tensor.split(sizes, dim=2) for tensor in (query, key, value)), strict=True)
    of_each = zip(parts, document_masks, document_limbs, strict=False)  # the rest has none
    out = [
        _tree(q, k, v, limbs, scaling) if limbs else _document(q, k, v, mask, scaling)
        for (q, k, v), mask, limbs in of_each
    ]
    out.append(torch.zeros_like(query[:, :, :rest]))
    return torch.cat(out, dim=2).transpose(1, 2), None


def _tree(
    query: Tensor, key: Tensor, value: Tensor, limbs: tuple[int, ...], scaling: float | None
) -> Tensor:
    """A trunk, then each of its limbs behind it, as if the others were not there."""
    trunk = query.shape[2] - sum(limbs)
    (first, *queries), (k, *keys), (v, *values) = (
        tensor.split([trunk, *limbs], dim=2) for tensor in (query, key, value)
    )
    out = [_document(first, k, v, None, scaling)]
    for limb, own_k, own_v in zip(queries, keys, values, strict=True):
        # Causal from the lower right corner: a limb's first position sees the whole trunk.
        whole = torch.cat([first, limb], dim=2)
        behind = _document(
            whole, torch.cat([k, own_k], dim=2), torch.cat([v, own_v], dim=2), None, scaling
        )
        out.append(behind[:, :, trunk:])
    return torch.cat(out, dim=2)


def _document(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float | None
) -> Tensor:
    groups = query.shape[1] // key.shape[1]
    if groups > 1 and mask is not None:
        # With a mask no fused kernel lets one head serve several: each gets a copy.
        key, value = (tensor.repeat_interleave(groups, dim=1) for tensor in (key, value))
        groups = 1
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=mask is None, scale=scaling,
        enable_gqa=groups > 1,
    )  # fmt: skip


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
