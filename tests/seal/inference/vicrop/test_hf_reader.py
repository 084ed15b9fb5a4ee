"""Families of Hugging Face, read: equal to whole eager passes, one question at a time."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import tiny_families
import tiny_models
import torch

from seal.geometry import Box
from seal.inference.answers.hf import HFAnswerModel
from seal.inference.hf.encode import collate, encode_row, user
from seal.inference.hf.image_tokens import token_grids
from seal.inference.vicrop.build_reader import build_reader
from seal.inference.vicrop.config import ViCropConfig
from seal.inference.vicrop.locator import ViCropLocator
from seal.inference.vicrop.reader import GENERAL_QUESTION, Look
from seal.inference.vicrop.tower_pictures import unpatched
from seal.search.locator import LocateRequest

DECODERS = ("llava", "llava_next", "llava_onevision", "qwen2_5_vl", "qwen3_vl", "internvl")
WIDE, TALL, SQUARE = (
    tiny_models.noise(150, 90), tiny_models.noise(80, 130, seed=1), tiny_models.noise(56, 56)
)  # fmt: skip
LOOKS = [
    Look(WIDE, "what color is the mug?"),
    Look(TALL, "is the boat left of the mug, or <image> right of it? \u4e2d"),
    Look(WIDE, "where is the boat?"),
    Look(SQUARE, "boat?"),
]


@cache
def _answers(family: str) -> HFAnswerModel:
    name = tiny_families.folder(family)
    return HFAnswerModel.from_pretrained(name, device="cpu", layout="bare", max_batch=2)


def _reader(family: str) -> Any:
    # Cut images stay cut, so that a whole pass sees what the reader's does.
    return build_reader(_answers(family), ViCropConfig(view="as_released"))


def _row(family: str, image: Any, question: str) -> Any:
    hf = _reader(family).source.hf if family != "instructblip" else _answers(family).hf
    form = _reader(family).source.form
    if form.picture is not None:
        image = form.picture(image)
    items = [{"type": "image", "image": image}, {"type": "text", "text": question + form.behind}]
    return hf, collate(hf, [encode_row(hf, user(items))])


def _naive(family: str, look: Look, question: str) -> tuple[Any, Any, Any, Any]:
    """A whole eager pass: attention of every layer, the objective, the pixels, the grids."""
    hf, encoded = _row(family, look.image, question)
    hf.model.set_attn_implementation("eager")
    pixels = encoded.inputs["pixel_values"].clone().requires_grad_()
    inputs = encoded.inputs | {"pixel_values": pixels}
    out = hf.model(**inputs, use_cache=False, output_attentions=True)
    hf.model.set_attn_implementation("sdpa")
    objective = out.logits[0, -1].float().log_softmax(-1).max()
    return out.attentions, objective, pixels, token_grids(hf, encoded, 0)[0]


def _on(weights: torch.Tensor, grid: Any) -> np.ndarray:
    return weights[torch.from_numpy(grid.positions)].detach().numpy()


@pytest.mark.parametrize("family", DECODERS)
def test_relative_maps_equal_whole_eager_passes(family):
    reader = _reader(family)
    layer = reader.num_layers - 1
    for look, factors in zip(LOOKS, reader.relative(LOOKS, layer=layer), strict=True):
        for question, found in (
            (look.question, factors.question),
            (GENERAL_QUESTION, factors.general),
        ):
            attentions, _, _, grids = _naive(family, look, question)
            finest = max(grids, key=lambda grid: grid.positions.size)
            expected = _on(attentions[layer][0, :, -1].mean(0), finest)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-8)
        assert factors.question.std() / factors.question.mean() > 0.01  # attention is not uniform


@pytest.mark.parametrize("family", DECODERS)
def test_gradient_maps_equal_whole_eager_passes(family):
    reader = _reader(family)
    for look, factors in zip(LOOKS, reader.gradients(LOOKS, layer=0), strict=True):
        attentions, objective, _, grids = _naive(family, look, look.question)
        (gradient,) = torch.autograd.grad(objective, attentions[0])
        weighed = (attentions[0] * gradient.relu())[0, :, -1].mean(0)
        expected = _on(weighed, max(grids, key=lambda grid: grid.positions.size))
        assert np.abs(factors.weighted - expected).max() <= 1e-4 * expected.max()


@pytest.mark.parametrize("family", DECODERS)
def test_pixel_gradients_are_those_of_a_whole_pass_and_lie_over_the_whole_view(family):
    reader = _reader(family)
    (factors,) = reader.pixels(LOOKS[:1])
    _, objective, pixels, grids = _naive(family, LOOKS[0], LOOKS[0].question)
    (gradient,) = torch.autograd.grad(objective, pixels)
    assert factors.view == grids[0].box
    if gradient.dim() > 2:  # packed patches have a test of their own
        whole = gradient[0, 0] if gradient.dim() == 5 else gradient[-1]
        expected = whole.norm(dim=0).numpy()
        np.testing.assert_allclose(factors.question, expected, atol=1e-4 * expected.max())
    height, width = factors.question.shape
    rows, columns = grids[0].positions.shape
    assert factors.general.shape == (height, width) and factors.question.max() > 0
    if family != "internvl":  # whose tokens are of several patches
        assert (height // factors.patch, width // factors.patch) == (rows, columns)


def test_packed_patches_are_put_where_they_were_in_the_picture():
    hf = _answers("qwen2_5_vl").hf
    picture = tiny_models.noise(84, 56, seed=3)  # whole tokens within the budget: not resized
    items = [{"type": "image", "image": picture}, {"type": "text", "text": "?"}]
    row = encode_row(hf, user(items))
    images = hf.processor.image_processor
    mean, std = np.array(images.image_mean), np.array(images.image_std)
    expected = (np.asarray(picture) / 255 - mean) / std
    laid = unpatched(row.pixels["pixel_values"], 4, 6, 14, 2) / 2  # two equal frames
    np.testing.assert_allclose(laid.permute(1, 2, 0), expected, atol=1e-5)


@pytest.mark.parametrize("family", [*DECODERS, "instructblip"])
@pytest.mark.parametrize("method", ["rel_att", "grad_att", "pure_grad"])
def test_every_family_finds_a_crop_by_every_method_and_together_as_alone(family, method):
    config = ViCropConfig(method=method, base_window=40, general_floor=0.0)
    locator = ViCropLocator(_answers(family), config)
    requests = [LocateRequest(look.image, "", look.question) for look in LOOKS[:2]]
    for request, result in zip(requests, locator.locate(requests), strict=True):
        (box,) = result.boxes
        width, height = request.image.size
        assert 0 <= box.x0 < box.x1 <= width and 0 <= box.y0 < box.y1 <= height
        (alone,) = locator.locate([request])
        heat, expected = (r.path[0].heat.to_numpy() for r in (result, alone))
        np.testing.assert_allclose(heat, expected, atol=2e-4 * expected.max())


@pytest.mark.parametrize("family", [*DECODERS, "instructblip"])
@pytest.mark.parametrize("method", ["relative", "gradients"])
def test_every_look_knows_what_it_would_have_cost_alone(family, method):
    answers = _answers(family)
    reader = build_reader(answers, ViCropConfig())
    looks = [LOOKS[0], Look(LOOKS[0].image, "where?"), *LOOKS[1:2]]
    getattr(reader, method)(looks, layer=0)
    together = reader.costs
    for look, cost in zip(looks, together, strict=True):
        before = replace(answers.cost)
        getattr(reader, method)([look], layer=0)
        assert reader.costs == [cost] == [answers.cost - before]


def test_an_image_that_would_be_cut_is_padded_and_its_map_lies_over_the_square():
    config = ViCropConfig(base_window=40)
    (padded,) = build_reader(_answers("llava"), config).relative(LOOKS[:1], layer=0)
    assert padded.view == Box(0, -30, 150, 120)
    (cut,) = _reader("llava").relative(LOOKS[:1], layer=0)
    assert cut.view == Box(30, 0, 120, 90)


@pytest.mark.parametrize("family", ["llava_next", "instructblip"])
def test_maps_of_all_layers_are_the_relative_maps_of_each(family):
    reader = build_reader(_answers(family), ViCropConfig())
    maps = reader.layer_maps(WIDE, "where is the boat?")
    for layer in range(reader.num_layers):
        (factors,) = reader.relative([Look(WIDE, "where is the boat?")], layer=layer)
        np.testing.assert_allclose(maps[layer].question, factors.question, rtol=1e-4)
        np.testing.assert_allclose(maps[layer].general, factors.general, rtol=1e-4)
        assert maps[layer].view == factors.view
    with pytest.raises(ValueError, match=f"layer={reader.num_layers} is none of"):
        reader.relative(LOOKS[:1], layer=reader.num_layers)


@pytest.mark.parametrize("family", [*DECODERS, "instructblip"])
def test_what_is_read_is_charged_and_nothing_stays_changed(family):
    answers = _answers(family)
    before = answers.cost - type(answers.cost)()
    parameters = [p.requires_grad for p in answers.hf.model.parameters()]
    reader = build_reader(answers, ViCropConfig())
    reader.relative(LOOKS[:1], layer=0)
    reader.gradients(LOOKS[:1], layer=0)
    cost = answers.cost - before
    assert (cost.calls, cost.images) == (3, 2) and cost.pixels > 0 and cost.tokens_read > 0
    assert 0 < cost.visual_tokens < cost.tokens_read
    assert [p.requires_grad for p in answers.hf.model.parameters()] == parameters
    configs = [m.config for m in answers.hf.model.modules() if hasattr(m, "config")]
    implementations = {getattr(config, "_attn_implementation", None) for config in configs}
    assert implementations <= {"sdpa", "eager", None}


@pytest.mark.parametrize("family", ["llava", "qwen3_vl", "instructblip"])
def test_maps_in_bfloat16_are_those_of_float32_but_for_its_rounding(family):
    half = HFAnswerModel.from_pretrained(
        tiny_families.folder(family), device="cpu", dtype="bfloat16", layout="bare"
    )
    look = [Look(SQUARE, "where is the boat?")]
    config = ViCropConfig()
    for method in ("relative", "gradients"):
        found, expected = (
            getattr(build_reader(model, config), method)(look, layer=0)[0]
            for model in (half, _answers(family))
        )
        name = "question" if method == "relative" else "weighted"
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert ours.dtype == np.float32 and np.isfinite(ours).all()
        if method == "relative":
            np.testing.assert_allclose(ours, theirs, rtol=0.2)


def test_a_family_nothing_is_known_of_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match=r"'gemma3' look; it reads llava, instructblip") as refused:
        ViCropLocator(_answers("gemma3"), ViCropConfig())
    assert "\n" not in str(refused.value)
