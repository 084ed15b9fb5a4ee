"""AVG-LLaVA's router written out in elementary operations, picture by picture, to compare with.

In float64, and with gradients where its state asks for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isqrt, sqrt

import torch
from torch import Tensor

State = Mapping[str, Tensor]  # under the names of `seal.models.parts.router.Router`


@dataclass(frozen=True)
class PlainRouting:
    """What becomes of one picture of t tiles."""

    merged: Tensor  # (t, positions, D): what the layer returns
    before_norm: Tensor  # (levels,)
    scores: Tensor  # (levels,)


def pool(tokens: Tensor, level: int) -> Tensor:
    """(T, D) of a square tile -> (level, D): means of rectangles, pairs along the width first."""
    side = isqrt(len(tokens))
    high = wide = 1
    while side * side // (high * wide) > level:
        high, wide = (high, wide * 2) if high == wide else (high * 2, wide)
    grid = tokens.reshape(side // high, high, side // wide, wide, -1)
    return grid.mean((1, 3)).reshape(level, -1)


def most_similar(tile: Tensor, text: Tensor, usable: Sequence[bool], number: int) -> list[int]:
    """Usable rows of the text by their mean cosine with a tile's tokens; -1 where none is left."""
    rows, tokens = (x / x.norm(dim=-1, keepdim=True).clamp(min=1e-8) for x in (text, tile))
    similarity = (rows @ tokens.T).mean(1).tolist()
    order = sorted((row for row in range(len(text)) if usable[row]), key=lambda i: -similarity[i])
    return (order + [-1] * number)[:number]


def layer_norm(x: Tensor, state: State, name: str) -> Tensor:
    x = x - x.mean(-1, keepdim=True)
    x = x / ((x * x).mean(-1, keepdim=True) + 1e-5).sqrt()
    return x * state[f"{name}.weight"] + state[f"{name}.bias"]


def linear(x: Tensor, state: State, name: str) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def attention(x: Tensor, state: State, num_heads: int) -> Tensor:
    """(N, L, D): each of L places attends to all of them."""
    full = x.shape[2]
    mixed = linear(x, state, "layer.in_proj")
    heads = []
    for start in range(0, full, full // num_heads):
        query, key, value = (
            mixed[:, :, part * full + start :][:, :, : full // num_heads] for part in range(3)
        )
        scores = query @ key.mT / sqrt(full // num_heads)
        weights = (scores - scores.amax(2, keepdim=True)).exp()
        heads.append(weights / weights.sum(2, keepdim=True) @ value)
    return linear(torch.cat(heads, 2), state, "layer.out_proj")


def route(
    state: State,
    levels: Sequence[int],
    tiles: Tensor,
    text: Tensor,
    picked: Sequence[int],
    *,
    num_heads: int = 8,
    attends: str = "tokens",
) -> PlainRouting:
    """The scores of one picture; tiles: (t, T, D), text: (K, D), picked: rows of it, -1: zeros."""
    width = tiles.shape[2]
    chosen = [text.new_zeros(width) if row < 0 else text[row] for row in picked]
    shared = [torch.stack(chosen)]
    x = torch.stack(
        [torch.cat([*(pool(tile, level) for level in levels), *shared]) for tile in tiles]
    )  # (t, positions, D)
    if attends == "tiles":
        attended = attention(x.transpose(0, 1), state, num_heads).transpose(0, 1)
    else:
        attended = attention(x, state, num_heads)
    x = layer_norm(x + attended, state, "layer.norm1")
    hidden = linear(x, state, "layer.linear1").clamp(min=0)
    merged = layer_norm(x + linear(hidden, state, "layer.linear2"), state, "layer.norm2")
    hidden = linear(merged, state, "token_scores.0")
    hidden = hidden * (1 + torch.erf(hidden / sqrt(2))) / 2
    votes = linear(hidden, state, "token_scores.2")  # (t, positions, levels)
    before_norm = (votes * state["voter"]).sum(1).mean(0)
    return PlainRouting(merged, before_norm, layer_norm(before_norm, state, "norm"))
