"""The router: the text it reads, the tokens it compares, and nothing of its batch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from plain_router import most_similar, route

from seal.models.parts.router import Router, RouterConfig

LEVELS, WIDTH, FINEST = (4, 8, 16, 32, 64), 16, 64
CONFIG = RouterConfig(text_tokens=6, num_heads=4, dropout=0.0)


def make_router(**changed):
    torch.manual_seed(7)
    router = Router(replace(CONFIG, **changed), LEVELS, WIDTH)
    with torch.no_grad():  # biases and norms that start at 0 or 1 would hide what they do
        for parameter in router.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return router


def make_pictures(*tile_counts, rows=9, seed=3):
    """(tokens of all tiles, the counts, text, a mask in which all is usable)."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(sum(tile_counts), FINEST, WIDTH, generator=generator)
    text = torch.randn(len(tile_counts), rows, WIDTH, generator=generator)
    return tokens, tile_counts, text, torch.ones(text.shape[:2], dtype=torch.bool)


def assert_same(ours, theirs, tolerance=1e-6):
    torch.testing.assert_close(ours.scores, theirs.scores, rtol=0, atol=tolerance)
    torch.testing.assert_close(ours.before_norm, theirs.before_norm, rtol=0, atol=10 * tolerance)
    assert torch.equal(ours.picked, theirs.picked)


@pytest.mark.parametrize("attends", ["tokens", "tiles"])
@pytest.mark.parametrize("tiles", [1, 4])
def test_scores_and_gradients_equal_the_plain_routers(attends, tiles):
    router = make_router(attends=attends)
    tokens, counts, text, mask = make_pictures(tiles)
    mask[0, [2, 5, 6, 7]] = False
    output = router(tokens, counts, text, mask)
    state = {name: value.detach().double() for name, value in router.state_dict().items()}
    for value in state.values():
        value.requires_grad_()
    picked = most_similar(tokens[0].double(), text[0].double(), mask[0].tolist(), 6)
    plain = route(
        state, LEVELS, tokens.double(), text[0].double(), picked, num_heads=4, attends=attends
    )
    assert output.picked.tolist() == [picked] and picked[-1] == -1 and picked[4] >= 0
    torch.testing.assert_close(output.before_norm[0].double(), plain.before_norm, rtol=0, atol=1e-5)
    torch.testing.assert_close(output.scores[0].double(), plain.scores, rtol=0, atol=1e-5)
    weight = torch.arange(1.0, 6)
    (output.scores[0] * weight).sum().backward()
    (plain.scores * weight).sum().backward()
    for name, parameter in router.named_parameters():
        torch.testing.assert_close(parameter.grad.double(), state[name].grad, rtol=1e-4, atol=1e-5)


def test_attention_across_tokens_is_not_attention_across_tiles():
    """With one tile the released layer lets a token see itself alone; ours sees the others."""
    tokens, counts, text, mask = make_pictures(1)
    ours, released = (make_router(attends=attends) for attends in ("tokens", "tiles"))
    released.load_state_dict(ours.state_dict())
    difference = (
        ours(tokens, counts, text, mask).scores - released(tokens, counts, text, mask).scores
    )
    assert difference.abs().max() > 1e-2


def test_text_is_read_in_the_order_of_its_similarity_to_the_global_tile():
    router, (tokens, counts, text, mask) = make_router(), make_pictures(3, 1, rows=20)
    picked = router(tokens, counts, text, mask).picked
    for picture, first in enumerate((0, 3)):
        rows = torch.nn.functional.normalize(text[picture], dim=-1)
        tile = torch.nn.functional.normalize(tokens[first], dim=-1)
        similarity = (rows @ tile.T).mean(1)
        assert picked[picture].tolist() == similarity.topk(6).indices.tolist()
    # Neither the length of a text token's vector nor the local tiles count.
    louder = text * torch.rand(2, 20, 1).add(0.1)
    assert torch.equal(router(tokens, counts, louder, mask).picked, picked)
    tokens[1:3] = torch.randn(2, FINEST, WIDTH)
    assert torch.equal(router(tokens, counts, text, mask).picked, picked)


def test_text_tokens_that_are_equal_are_all_read():
    router, (tokens, counts, text, mask) = make_router(), make_pictures(2, rows=5)
    text[0, 3] = text[0, 1]
    (picked,) = router(tokens, counts, text, mask).picked.tolist()
    assert sorted(picked) == [-1, 0, 1, 2, 3, 4]
    assert picked[-1] == -1 and picked.index(3) == picked.index(1) + 1


@pytest.mark.parametrize("usable", [0, 1, 4, 6])
def test_masked_text_changes_nothing_and_zero_rows_stand_in(usable):
    router, (tokens, counts, text, mask) = make_router(), make_pictures(2)
    mask[0, usable:] = False
    output = router(tokens, counts, text, mask)
    (picked,) = output.picked.tolist()
    assert sorted(picked[:usable]) == list(range(usable))
    assert picked[usable:] == [-1] * (6 - usable)
    louder = text.clone()
    louder[0, usable:] = tokens[0, 0] * 100  # as similar as can be
    assert_same(router(tokens, counts, louder, mask), output, 0)
    plain = make_router()  # the zero rows are rows of zeros
    zeros = torch.cat([text[:, :usable], torch.zeros(1, 6 - usable, WIDTH)], 1)
    zero_rows = torch.ones(1, 6, dtype=torch.bool)
    shown = plain(tokens, counts, zeros, zero_rows)
    order = sorted(range(usable), key=lambda row: picked.index(row))
    if shown.picked[0, :usable].tolist() == order:  # unless a zero row is more similar than one
        torch.testing.assert_close(shown.scores, output.scores, rtol=0, atol=1e-6)


def test_padding_of_the_text_changes_nothing():
    router, (tokens, counts, text, mask) = make_router(), make_pictures(2, 1)
    padded = torch.cat([torch.full((2, 5, WIDTH), 9.0), text, torch.full((2, 30, WIDTH), -3.0)], 1)
    usable = torch.nn.functional.pad(mask, (5, 30))
    output, expected = router(tokens, counts, padded, usable), router(tokens, counts, text, mask)
    assert torch.equal(output.picked, torch.where(expected.picked < 0, -1, expected.picked + 5))
    torch.testing.assert_close(output.scores, expected.scores, rtol=0, atol=1e-6)


def test_without_any_text_a_picture_is_still_scored():
    router, (tokens, counts, text, mask) = make_router(), make_pictures(2, 3)
    output = router(tokens, counts, text[:, :0], mask[:, :0])
    assert output.picked.tolist() == [[-1] * 6] * 2
    assert_same(router(tokens, counts, text, ~mask), output)


@pytest.mark.parametrize("attends", ["tokens", "tiles"])
def test_a_picture_alone_is_scored_as_among_pictures_of_other_tile_counts(attends):
    router, pictures = make_router(attends=attends), make_pictures(3, 1, 5, 4, 1)
    tokens, counts, text, mask = pictures
    mask[1, 2:] = False
    together = router(tokens, counts, text, mask)
    start = 0
    for i, count in enumerate(counts):
        alone = router(tokens[start : start + count], (count,), text[i : i + 1], mask[i : i + 1])
        start += count
        torch.testing.assert_close(alone.scores[0], together.scores[i], rtol=0, atol=1e-6)
        assert torch.equal(alone.picked[0], together.picked[i])


@pytest.mark.parametrize("attends", ["tokens", "tiles"])
def test_dropout_of_a_picture_is_its_keys_and_not_its_batchs(attends):
    router = make_router(attends=attends, dropout=0.3).train()
    tokens, counts, text, mask = make_pictures(3, 1, 2)
    keys = torch.tensor([11, 12, 13])
    together = router(tokens, counts, text, mask, keys)
    torch.manual_seed(99)
    assert_same(router(tokens, counts, text, mask, keys), together, 0)
    alone = router(tokens[3:4], (1,), text[1:2], mask[1:2], keys[1:2])
    torch.testing.assert_close(alone.scores[0], together.scores[1], rtol=0, atol=1e-6)
    other = router(tokens, counts, text, mask, torch.tensor([11, 5, 13]))
    assert torch.equal((other.scores != together.scores).any(1), torch.tensor([False, True, False]))


def test_dropout_moves_scores_in_training_and_nothing_at_inference():
    router = make_router(dropout=0.3)
    tokens, _, text, mask = make_pictures(1)
    many = (tokens.expand(100, -1, -1), (1,) * 100, text.expand(100, -1, -1), mask.expand(100, -1))
    keys = torch.arange(100)
    calm = make_router(dropout=0.0).train()(*many, keys).scores
    torch.testing.assert_close(router.eval()(*many, keys).scores, calm, rtol=0, atol=1e-6)
    drawn = router.train()(*many, keys).scores
    assert drawn.std(0).min() > 0.01
    assert ((drawn.mean(0) - calm[0]).abs() < 0.5).all()  # about what it is without
