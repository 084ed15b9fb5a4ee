"""Dropout is a function of seed, step, conversation, layer and position, and of nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from seal.models.parts.row_dropout import RowDropout, RowSeeds, mix32, mix64, uniform_bits

SIZE = 64


def mask(
    keys: torch.Tensor, positions: torch.Tensor, *, seed: int = 1, step: int = 3, layer: int = 0
) -> torch.Tensor:
    """(B, L, SIZE) of zeros and twos."""
    seeds = RowSeeds(seed)
    dropout = RowDropout(0.5, layer, seeds)
    seeds.begin(step, keys, positions)
    return dropout(torch.ones(*keys.shape, SIZE))


def test_a_row_has_its_mask_wherever_it_stands():
    keys = torch.tensor([[7, 7, 7, 9, 9]])
    positions = torch.tensor([[0, 1, 2, 0, 1]])
    packed = mask(keys, positions)
    padded = mask(torch.tensor([[9, 9, 0], [7, 7, 7]]), torch.tensor([[0, 1, 0], [0, 1, 2]]))
    assert torch.equal(packed[0, :3], padded[1]) and torch.equal(packed[0, 3:], padded[0, :2])


def test_everything_it_is_drawn_from_changes_it():
    keys, positions = torch.full((1, 8), 5), torch.arange(8)[None]
    first = mask(keys, positions)
    assert torch.equal(mask(keys, positions), first)
    others = [
        mask(keys, positions, seed=2),
        mask(keys, positions, step=4),
        mask(keys, positions, layer=1),
        mask(keys + 1, positions),
        mask(keys, positions + 8),
    ]
    for other in others:
        share = (other != first).float().mean()
        assert 0.35 < share < 0.65  # as of two independent draws


def test_as_many_are_kept_as_asked_and_they_are_spread_evenly():
    keys = torch.arange(200)[:, None].expand(200, 20)
    positions = torch.arange(20).expand(200, 20)
    seeds = RowSeeds(0)
    seeds.begin(0, keys, positions)
    kept = RowDropout(0.05, 2, seeds)(torch.ones(200, 20, 100)) > 0
    sigma = (0.05 * 0.95 / kept.numel()) ** 0.5
    assert abs(kept.float().mean() - 0.95) < 5 * sigma
    for dims in ((0, 1), (0, 2), (1, 2)):  # no feature, position or row has its own share
        shares = kept.float().mean(dims)
        count = kept.numel() / len(shares)
        assert (shares - 0.95).abs().max() < 6 * (0.05 * 0.95 / count) ** 0.5


def test_draws_of_neighbors_are_not_correlated():
    keys = torch.arange(400)[None]
    bits = uniform_bits(keys, 256, layer=1)[0].double()
    bits = (bits - bits.mean()) / bits.std()
    for pair in ((bits[1:], bits[:-1]), (bits[:, 1:], bits[:, :-1])):
        assert abs(float((pair[0] * pair[1]).mean())) < 5 / bits.numel() ** 0.5
    table = np.corrcoef(bits[:50].numpy())
    assert abs(table - np.eye(50)).max() < 0.35  # of 256 draws


def test_the_mixers_are_bijections_without_small_numbers():
    numbers = torch.arange(100_000)
    assert len(mix64(numbers).unique()) == len(numbers)
    assert len(mix32(numbers.to(torch.int32)).unique()) == len(numbers)
    assert (mix64(numbers) < 0).float().mean().item() == pytest.approx(0.5, abs=0.01)


def test_evaluation_and_probability_zero_change_nothing():
    x = torch.randn(1, 2, 3)
    assert RowDropout(0.5, 0, RowSeeds(0)).eval()(x) is x
    assert RowDropout(0.0, 0, RowSeeds(0))(x) is x


def test_positions_it_was_not_told_of_are_an_error():
    seeds = RowSeeds(0)
    dropout = RowDropout(0.5, 0, seeds)
    with pytest.raises(RuntimeError, match="told of positions None"):
        dropout(torch.ones(1, 2, 3))
    seeds.begin(0, torch.zeros(1, 4, dtype=torch.int64), torch.arange(4)[None])
    with pytest.raises(RuntimeError, match=r"\(1, 4\) but sees \(1, 2\)"):
        dropout(torch.ones(1, 2, 3))
