"""Coarser visual tokens by averaging neighbors: AVG-LLaVA's scaler, which has no parameters."""

from __future__ import annotations

from math import isqrt

from torch import Tensor
from torch.nn.functional import avg_pool2d

from seal.tiling import level_grid


def scale_tokens(tokens: Tensor, level: int) -> Tensor:
    """(N, T, D) of N tiles of sqrt(T) x sqrt(T) tokens, row by row -> (N, level, D).

    Each is the mean of a rectangle of the tile: a level is always made straight from the finest,
    never from another level, and at T the tokens are returned as they are.

    Raises:
        ValueError: T is no square, or the level does not divide the tile (the original returns
            another number of tokens then; this names the levels that would do).
    """
    num_tiles, finest, width = tokens.shape
    side = isqrt(finest)
    if side * side != finest:
        raise ValueError(
            f"a tile of {finest} tokens is not square, so it has no levels; granularity needs a "
            "vision tower that sees squares"
        )
    rows, columns = level_grid(level, side)
    if level == finest:
        return tokens
    grid = tokens.transpose(1, 2).reshape(num_tiles, width, side, side)
    pooled = avg_pool2d(grid, (side // rows, side // columns))  # (N, D, rows, columns)
    return pooled.flatten(2).transpose(1, 2)
