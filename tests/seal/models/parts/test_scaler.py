"""A pooled token is the mean of the rectangle of finest tokens that it stands for."""

from __future__ import annotations

import pytest
import torch

from seal.models.parts.scaler import scale_tokens
from seal.tiling import level_grid, possible_levels


@pytest.mark.parametrize("side", [1, 6, 8, 24])
def test_each_token_is_the_mean_of_its_rectangle(side):
    tokens = torch.randn(3, side * side, 5, dtype=torch.float64)
    grid = tokens.view(3, side, side, 5)
    for level in possible_levels(side):
        rows, columns = level_grid(level, side)
        high, wide = side // rows, side // columns
        scaled = scale_tokens(tokens, level)
        assert scaled.shape == (3, level, 5)
        for place in {0, level // 2, level - 1}:
            y, x = place // columns * high, place % columns * wide
            mean = grid[:, y : y + high, x : x + wide].mean((1, 2))
            torch.testing.assert_close(scaled[:, place], mean, rtol=0, atol=1e-12)


def test_a_tile_is_scaled_alone_as_among_others_and_no_tile_gives_none():
    tokens = torch.randn(4, 64, 6)
    for level in (4, 8, 64):
        together = scale_tokens(tokens, level)
        alone = torch.cat([scale_tokens(tile[None], level) for tile in tokens])
        assert torch.equal(together, alone)
    assert scale_tokens(tokens[:0], 8).shape == (0, 8, 6)


def test_every_finest_token_gets_the_same_share_of_the_gradient():
    tokens = torch.randn(2, 64, 3, requires_grad=True)
    scale_tokens(tokens, 8).sum().backward()
    torch.testing.assert_close(tokens.grad, torch.full_like(tokens, 1 / 8))


def test_a_level_that_does_not_divide_the_tile_is_refused_with_those_that_do():
    with pytest.raises(
        ValueError, match=r"^100 is no level of .*24 x 24.*: 1, 2, 4, .*, 288, 576$"
    ):
        scale_tokens(torch.zeros(1, 576, 2), 100)
    with pytest.raises(ValueError, match=r"^a tile of 50 tokens is not square"):
        scale_tokens(torch.zeros(1, 50, 2), 25)
