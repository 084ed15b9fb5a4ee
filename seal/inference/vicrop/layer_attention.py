"""Read what single layers attend to while everything else runs through SDPA.

Registered with transformers under a name of its own. A pass inside `reading` calls the SDPA that
the model would have called, so its logits are bit-equal, and beside it computes the softmax of the
wanted queries in the wanted layers alone: no layer needs eager attention, no (L, L) matrix is held.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "seal_layer_attention"


class _Enough(Exception):  # noqa: N818  # no error: it ends a pass
    """What was wanted of a pass has been read."""


class LayerAttention:
    """The weights of the wanted layers, by attention module, as the pass goes through them."""

    def __init__(
        self,
        layers: Sequence[nn.Module],
        queries: Tensor | None = None,
        *,
        graph: bool = False,
        last: nn.Module | None = None,
    ) -> None:
        """`queries`: (B, Q) positions within the pass, None for its last; `graph`: every query,
        and the layer's output is made of the weights, so that a gradient reaches them; `last`: the
        layer at which the pass ends."""
        self.last = last
        self.layers = list(layers)
        self.queries = queries
        self.graph = graph
        self._weights: dict[nn.Module, Tensor] = {}

    def of(self, layer: nn.Module) -> Tensor:
        """(B, heads, Q, K): how much each wanted query attended to each key; sums to 1 over K."""
        return self._weights[layer]

    def read(
        self,
        layer: nn.Module,
        query: Tensor,
        key: Tensor,
        mask: Tensor | None,
        scaling: float | None,
    ) -> Tensor:
        """The weights of one layer, kept; arguments as of an attention function."""
        with torch.set_grad_enabled(self.graph and torch.is_grad_enabled()):
            weights = attention_weights(
                layer, query, key, mask, scaling, None if self.graph else self._chosen(query)
            )
        if self.graph and not weights.requires_grad:
            weights.requires_grad_()  # nothing before it has a graph: it begins here
        self._weights[layer] = weights
        return weights

    def _chosen(self, query: Tensor) -> Tensor:
        if self.queries is not None:
            return self.queries.to(query.device)  # layers may lie on several devices
        return torch.full((query.shape[0], 1), query.shape[2] - 1, device=query.device)


def attention_weights(
    layer: nn.Module,
    query: Tensor,
    key: Tensor,
    mask: Tensor | None,
    scaling: float | None,
    chosen: Tensor | None = None,
) -> Tensor:
    """Softmax of query times key, as eager attention computes it, in float32.

    query: (B, heads, L, size); key: (B, groups, K, size), heads a multiple of groups; mask:
    (B or 1, heads or 1, L, K), bool or added; chosen: (B, Q) of the L queries, None for all.
    Returns (B, heads, Q, K).
    """
    batch, heads, length, size = query.shape
    groups, keys = key.shape[1], key.shape[2]
    if mask is None and length > 1 and getattr(layer, "is_causal", True):
        # SDPA's own causal mask: queries and keys begin together.
        mask = torch.ones(length, keys, dtype=torch.bool, device=query.device).tril()[None, None]
    if mask is not None:
        mask = mask.expand(batch, -1, -1, -1)[..., :keys]
    if chosen is not None:
        index = chosen[:, None, :, None]  # (B, 1, Q, 1)
        query = query.gather(2, index.expand(-1, heads, -1, size))
        if mask is not None:
            mask = mask.gather(2, index.expand(-1, mask.shape[1], -1, keys))
    grouped = query.float().view(batch, groups, heads // groups, -1, size)
    scores = grouped @ key.float()[:, :, None].transpose(-1, -2)  # (B, groups, per group, Q, K)
    scores = scores.flatten(1, 2) * (size**-0.5 if scaling is None else scaling)
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    elif mask is not None:
        scores = scores + mask
    return scores.softmax(-1)


_reading: ContextVar[LayerAttention | None] = ContextVar("reading", default=None)


@contextmanager
def reading(
    models: Sequence[PreTrainedModel],
    layers: Sequence[nn.Module],
    queries: Tensor | None = None,
    *,
    graph: bool = False,
    last: nn.Module | None = None,
) -> Iterator[LayerAttention]:
    """Passes of `models` inside this keep the weights of `layers`, their attention modules.

    With `last`, whose keys and values are in the cache by then, the pass ends where that layer has
    been read: what is behind it is not run, and the `with` is left. However it ends, every model
    attends afterwards as it did before.
    """
    attention = LayerAttention(layers, queries, graph=graph, last=last)
    before = [model.config._attn_implementation for model in models]
    token = _reading.set(attention)
    try:
        for model in models:
            model.set_attn_implementation(ATTENTION)
        yield attention
    except _Enough:
        pass
    finally:
        _reading.reset(token)
        for model, implementation in zip(models, before, strict=True):
            model.set_attn_implementation(implementation)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """(B, heads, L, size) each -> (B, L, heads, size)."""
    attention = _reading.get()
    wanted = attention is not None and module in attention.layers
    if wanted:
        assert attention is not None
        weights = attention.read(module, query, key, attention_mask, scaling)
        if attention.graph:
            return _weighted(weights, value), None
    if attention is not None and attention.last is module:
        raise _Enough
    return sdpa_attention_forward(
        module, query, key, value, attention_mask, scaling=scaling, **kwargs
    )


def _weighted(weights: Tensor, value: Tensor) -> Tensor:
    """weights: (B, heads, L, K), value: (B, groups, K, size) -> (B, L, heads, size)."""
    batch, heads, length, keys = weights.shape
    groups = value.shape[1]
    grouped = weights.to(value.dtype).view(batch, groups, heads // groups * length, keys)
    out = (grouped @ value).view(batch, heads, length, value.shape[-1])
    return out.transpose(1, 2).contiguous()


def may_end_early(model: nn.Module) -> bool:
    """Whether a pass may be left in its middle: not where hooks move weights to and fro."""
    return not any(hasattr(module, "_hf_hook") for module in model.modules())


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
