"""SEAL's own VQA LLM, read: equal to whole passes with eager attention, one question at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch

from seal.geometry import Box
from seal.images.tiles import TilesConfig
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.vicrop.decoder_reader import DecoderReader
from seal.inference.vicrop.reader import GENERAL_QUESTION, Look
from seal.inference.vicrop.seal_source import SealSource
from seal.models.parts.pixels import normalized
from seal.models.parts.router import RouterConfig
from seal.working_memory import VisualWorkingMemory

WIDE, TALL = tiny_models.noise(120, 90), tiny_models.noise(64, 100, seed=1)
LOOKS = [
    Look(WIDE, "what color is the mug?"),
    Look(TALL, "is the boat left of the mug, or is it right of it?"),
    Look(WIDE, "where is the boat?"),
    Look(WIDE, "what color is the mug?"),
]


@pytest.fixture(scope="module")
def answer_model() -> NetworkAnswerModel:
    model = tiny_models.vqa_model()
    with torch.no_grad():
        for parameter in model.llm.parameters():  # far enough from uniform attention
            parameter.mul_(4 if parameter.ndim > 1 else 1)
    return NetworkAnswerModel(model, tiny_models.tokenizer(), max_batch=2)


def _naive(answer_model: NetworkAnswerModel, image: Any, question: str) -> Any:
    """A whole pass of one row with eager attention, its graph, and where the image's tokens are."""
    model = answer_model.model
    batch = answer_model.batch([VisualWorkingMemory(question, image)])
    before = model.llm.model.config._attn_implementation
    model.llm.model.set_attn_implementation("eager")
    colors = model.config.vision.normalization
    pixels = normalized(batch.pixel_values, colors).clone().requires_grad_()
    embeddings = model.embed(batch, model.vision_tower(pixels))
    out = model.llm.model(inputs_embeds=embeddings, output_attentions=True, use_cache=False)
    model.llm.model.set_attn_implementation(before)
    objective = model.llm.lm_head(out.last_hidden_state[:, -1]).log_softmax(-1).amax(-1).sum()
    seen = (batch.input_ids[0] < 0).nonzero().flatten()
    return out.attentions, objective, pixels, seen


@pytest.fixture(scope="module")
def reader(answer_model: NetworkAnswerModel) -> DecoderReader:
    return DecoderReader(SealSource(answer_model))


def test_relative_maps_equal_whole_eager_passes(reader, answer_model):
    layer = reader.num_layers - 1
    for look, factors in zip(LOOKS, reader.relative(LOOKS, layer=layer), strict=True):
        for question, found in (
            (look.question, factors.question),
            (GENERAL_QUESTION, factors.general),
        ):
            attentions, _, _, seen = _naive(answer_model, look.image, question)
            expected = attentions[layer][0, :, -1, seen].mean(0).detach().view(2, 2).numpy()
            np.testing.assert_allclose(found, expected, rtol=2e-5)
        assert factors.question.std() / factors.question.mean() > 0.01  # attention is not uniform


def test_gradient_maps_equal_whole_eager_passes(reader, answer_model):
    for layer in range(reader.num_layers):
        for look, factors in zip(LOOKS, reader.gradients(LOOKS, layer=layer), strict=True):
            attentions, objective, _, seen = _naive(answer_model, look.image, look.question)
            (gradient,) = torch.autograd.grad(objective, attentions[layer])
            weighed = (attentions[layer] * gradient.relu())[0, :, -1, seen].mean(0)
            expected = weighed.detach().view(2, 2).numpy()
            np.testing.assert_allclose(
                factors.weighted, expected, rtol=1e-4, atol=1e-6 * expected.max()
            )


def test_pixel_gradients_equal_whole_passes_that_keep_every_block(reader, answer_model):
    for look, factors in zip(LOOKS[:2], reader.pixels(LOOKS[:2]), strict=True):
        for question, found in (
            (look.question, factors.question),
            (GENERAL_QUESTION, factors.general),
        ):
            _, objective, pixels, _ = _naive(answer_model, look.image, question)
            (gradient,) = torch.autograd.grad(objective, pixels)
            expected = gradient[0].norm(dim=0).numpy()
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * expected.max())
        assert factors.patch == 14 and factors.question.shape == (28, 28)


@pytest.mark.parametrize(
    ("tower", "seen"),
    [
        ({"family": "dinov2", "patch_size": 7, "pretrained_size": 42, "intermediate_size": 32}, 28),
        ({"family": "siglip", "image_size": 33}, 28),  # 5 pixels of 33 are left over
    ],
    ids=str,
)
def test_maps_and_pixels_of_other_towers_cover_what_their_grid_covers(tower, seen):
    config = tiny_models.vqa_model().config
    vision = dataclasses.replace(config.vision, **tower)
    model = dataclasses.replace(config, vision=vision).build().eval()
    answer_model = NetworkAnswerModel(model, tiny_models.tokenizer())
    reader = DecoderReader(SealSource(answer_model))
    look = LOOKS[0]
    (factors,) = reader.relative([look], layer=0)
    side = vision.grid_size
    attentions, objective, pixels, tokens = _naive(answer_model, look.image, look.question)
    expected = attentions[0][0, :, -1, tokens].mean(0).detach().view(side, side).numpy()
    np.testing.assert_allclose(factors.question, expected, rtol=2e-5)
    share = seen / vision.image_size  # of the square around the picture, 120 pixels a side
    covered = (0, -15, 120 * share, -15 + 120 * share)
    view = factors.view
    assert (view.x0, view.y0, view.x1, view.y1) == pytest.approx(covered)
    (gradients,) = reader.pixels([look])
    (gradient,) = torch.autograd.grad(objective, pixels)
    wanted = gradient[0].norm(dim=0)[:seen, :seen].numpy()
    np.testing.assert_allclose(gradients.question, wanted, rtol=1e-4, atol=1e-6 * wanted.max())
    assert gradients.patch == vision.patch_size and gradients.view == view


def test_gradients_leave_the_model_as_it_was(reader, answer_model):
    trained = [p.requires_grad for p in answer_model.model.parameters()]
    reader.pixels(LOOKS[:1])
    reader.gradients(LOOKS[:1], layer=0)
    assert [p.requires_grad for p in answer_model.model.parameters()] == trained
    assert all(p.grad is None for p in answer_model.model.parameters())
    assert not any("forward" in vars(m) for m in answer_model.model.modules())


def test_maps_of_all_layers_are_the_relative_maps_of_each(reader):
    maps = reader.layer_maps(WIDE, LOOKS[0].question)
    assert len(maps) == reader.num_layers
    for layer, found in enumerate(maps):
        (factors,) = reader.relative(LOOKS[:1], layer=layer)
        np.testing.assert_allclose(found.question, factors.question, rtol=1e-5)
        np.testing.assert_allclose(found.general, factors.general, rtol=1e-5)
        assert found.view == factors.view


def test_the_map_lies_over_the_square_the_image_was_padded_to(reader):
    wide, tall = reader.relative(LOOKS[:2], layer=0)
    assert wide.view == Box(0, -15, 120, 105)
    assert tall.view == Box(-18, 0, 82, 100)


def test_the_answer_model_is_charged_with_what_was_read(reader, answer_model):
    before = answer_model.cost - type(answer_model.cost)()
    reader.relative(LOOKS, layer=0)
    cost = answer_model.cost - before
    assert (cost.calls, cost.images, cost.pixels) == (2 + 3, 2, 2 * 28**2)
    whole = sum(
        len(answer_model.row(VisualWorkingMemory(question, image)).input_ids)
        for image, question in (
            (WIDE, LOOKS[0].question),
            (WIDE, LOOKS[2].question),
            (WIDE, GENERAL_QUESTION),
            (TALL, LOOKS[1].question),
            (TALL, GENERAL_QUESTION),
        )
    )
    assert 0 < cost.tokens_read < whole  # the image once for all questions about it
    seen = answer_model.model.config.vision.num_tokens
    assert cost.visual_tokens == 2 * seen
    assert [look.visual_tokens for look in reader.costs] == [seen] * len(LOOKS)


def test_a_layer_the_model_does_not_have_is_refused(reader):
    with pytest.raises(ValueError, match="layer=2 is none of the 2"):
        reader.relative(LOOKS[:1], layer=2)


ROUTER = RouterConfig(text_tokens=4, num_heads=4)
LONG = tiny_models.blocks(200, 90)


@pytest.fixture(scope="module", params=["tile", "as_released"])
def tiled(request) -> NetworkAnswerModel:
    """AVG-LLaVA in small; its router picks coarse levels."""
    tiles = TilesConfig(unpad=request.param)
    model = tiny_models.levelled_vqa_model(tiles=tiles, router=ROUTER)
    return NetworkAnswerModel(model, tiny_models.tokenizer(), max_batch=2)


def test_a_model_with_levels_is_read_at_the_finest_where_its_router_picks_another(tiled):
    reader = DecoderReader(SealSource(tiled))
    looks = [Look(LONG, "what color is the mug?"), Look(TALL, "where is the boat?")]
    picked = {tiled.levels_of(VisualWorkingMemory(k.question, k.image)) for k in looks}
    assert picked != {(16,)}
    before = dataclasses.replace(tiled.cost)
    maps = reader.relative(looks, layer=0)
    spent = tiled.cost - before
    finest = tiled.shown_as("16")
    rows = [finest.row(VisualWorkingMemory(k.question, k.image)) for k in looks]
    assert spent.visual_tokens == sum(int((row.input_ids < 0).sum()) for row in rows)
    assert spent.pixels == sum(v.num_tiles for row in rows for v in row.visuals) * 56**2
    for look, row, factors in zip(looks, rows, maps, strict=True):
        high, wide = map(len, row.visuals[0].tiling.kept(16))
        attentions, _, _, seen = _naive(finest, look.image, look.question)
        # Behind the 16 tokens of the whole: lines of local tokens, each with its newline.
        local = seen[16:].view(high, wide + 1)[:, :wide]
        expected = attentions[0][0, :, -1].mean(0).detach()[local].numpy()
        np.testing.assert_allclose(factors.question, expected, rtol=2e-5)


def test_the_map_of_an_image_in_tiles_lies_where_its_tokens_look(tiled):
    reader = DecoderReader(SealSource(tiled))
    square, wide = tiny_models.blocks(64, 64), tiny_models.blocks(112, 52)
    on_square, on_wide = reader.relative([Look(i, "where?") for i in (square, wide)], layer=0)
    assert (on_square.view, on_square.question.shape) == (Box(0, 0, 64, 64), (8, 8))
    # On 2 x 1 tiles of 56 pixels there are 2 empty ones above and below, in tokens that are kept.
    assert (on_wide.view, on_wide.question.shape) == (Box(0, -2, 112, 54), (4, 8))
    # On 3 x 1 tiles it is 125.44 of 168 pixels wide, in 8.96 tokens, of which 8 are kept.
    (cut,) = reader.relative([Look(tiny_models.blocks(224, 100), "where?")], layer=0)
    assert cut.question.shape == (4, 8)
    edges = (cut.view.x0, cut.view.y0, cut.view.x1, cut.view.y1)
    assert edges == pytest.approx((7 / 126 * 224, 0, 119 / 126 * 224, 100))


def test_gradients_of_an_image_in_tiles_lie_on_the_tile_of_the_whole(tiled):
    reader = DecoderReader(SealSource(tiled))
    (factors,) = reader.pixels([Look(LONG, "what color is the mug?")])
    finest = tiled.shown_as("16")
    model, memory = finest.model, VisualWorkingMemory("what color is the mug?", LONG)
    batch = finest.batch([memory])
    pixels = normalized(batch.pixel_values, model.config.vision.normalization).requires_grad_()
    states = model.hidden_states(batch, model.vision_tower(pixels))[:, -1]
    best = model.llm.lm_head(states).log_softmax(-1).amax(-1).sum()
    (gradient,) = torch.autograd.grad(best, pixels)
    expected = gradient[0].norm(dim=0).numpy()
    np.testing.assert_allclose(factors.question, expected, rtol=1e-4, atol=1e-6 * expected.max())
    assert factors.view == Box(0, 0, 200, 90) and factors.patch == 14
