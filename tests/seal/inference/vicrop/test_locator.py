"""ViCrop as a locator: shared maps, tiles, views, what is told of a window, models without one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch

from seal.geometry import Box
from seal.inference.answers.protocol import Cost
from seal.inference.answers.seal_vqa import NetworkAnswerModel
from seal.inference.vicrop.config import ViCropConfig
from seal.inference.vicrop.locator import ViCropLocator
from seal.inference.vicrop.maps import make_maps, relative_map
from seal.inference.vicrop.place import window_of
from seal.inference.vicrop.reader import Look, RelativeFactors
from seal.search.locator import LocateRequest
from seal.search.trace import from_dict, to_dict

WIDE, TALL = tiny_models.noise(120, 90), tiny_models.noise(64, 100, seed=1)
MUG, BOAT = "what color is the mug?", "is the boat left of the mug?"


@pytest.fixture(scope="module")
def answer_model() -> NetworkAnswerModel:
    model = tiny_models.vqa_model()
    with torch.no_grad():
        for parameter in model.llm.parameters():  # far enough from uniform attention
            parameter.mul_(4 if parameter.ndim > 1 else 1)
    return NetworkAnswerModel(model, tiny_models.tokenizer(), max_batch=4)


def _config(**changes: Any) -> ViCropConfig:
    return ViCropConfig(**{"layer": 1, "base_window": 40} | changes)


@pytest.mark.parametrize("method", ["rel_att", "grad_att", "pure_grad"])
def test_each_method_brings_back_one_region_of_the_image_with_its_map(answer_model, method):
    locator = ViCropLocator(answer_model, _config(method=method))
    assert locator.by_question
    requests = [LocateRequest(WIDE, "", MUG), LocateRequest(TALL, "", BOAT)]
    for request, result in zip(requests, locator.locate(requests), strict=True):
        width, height = request.image.size
        (box,) = result.boxes
        assert 0 <= box.x0 < box.x1 <= width and 0 <= box.y0 < box.y1 <= height
        (root,) = result.path
        assert result.found and result.best_box == root.best_box == box
        assert root.box == Box(0, 0, width, height) and root.heat is not None
        assert root.heat.to_numpy().shape == (height, width)
        assert result.strategy == f"vicrop_{method}" and result.calls == {"map": 1}
        assert result.config["layer"] == 1 and result.config["base_window"] == 40
        assert result.seconds["map"] > 0 and result.image_size == (width, height)


def test_questions_together_get_what_each_gets_alone(answer_model):
    locator = ViCropLocator(answer_model, _config())
    requests = [LocateRequest(i, "", q) for i in (WIDE, TALL) for q in (MUG, BOAT)]
    together = locator.locate(requests)
    for request, result in zip(requests, together, strict=True):
        (alone,) = locator.locate([request])
        assert alone.boxes == result.boxes
        np.testing.assert_allclose(
            alone.path[0].heat.to_numpy(), result.path[0].heat.to_numpy(), rtol=1e-4
        )


def test_targets_of_one_question_share_a_map_that_the_first_of_them_pays(answer_model):
    locator = ViCropLocator(answer_model, _config())
    calls = answer_model.cost.calls
    one, other, third = locator.locate(
        [
            LocateRequest(WIDE, "mug", MUG), LocateRequest(WIDE, "boat", MUG),
            LocateRequest(TALL, "mug", MUG),
        ]
    )  # fmt: skip
    assert answer_model.cost.calls - calls == 4  # two images, the question and the general one
    assert one.boxes == other.boxes and (one.target, other.target) == ("mug", "boat")
    assert (one.calls, other.calls, third.calls) == ({"map": 1}, {}, {"map": 1})


@pytest.mark.parametrize("method", ["rel_att", "grad_att", "pure_grad"])
def test_what_a_question_costs_does_not_depend_on_those_beside_it(answer_model, method):
    """Not even on another about the same image, or on the same words about it."""
    locator = ViCropLocator(answer_model, _config(method=method))
    asked = [(WIDE, MUG), (WIDE, BOAT), (TALL, MUG), (WIDE, MUG)]

    def costs(questions):
        requests = [
            LocateRequest(image, name, question, 2, asked_for=owner)
            for owner, (image, question) in questions
            for name in ("mug", "boat")
        ]
        answer_model.account.by_owner.clear()
        before = replace(answer_model.cost)
        results = locator.locate(requests)
        owed = answer_model.account.by_owner
        assert sum(owed.values(), Cost()) == answer_model.cost - before
        calls = [result.calls for result in results]
        return {owner: replace(cost) for owner, cost in owed.items()}, calls

    together, calls = costs(list(enumerate(asked)))
    assert calls == [{"map": 1}, {}] * 4
    for owner, question in enumerate(asked):
        alone, own_calls = costs([(owner, question)])
        assert alone == {owner: together[owner]} and own_calls == [{"map": 1}, {}]
    assert together[0] == together[3] and together[0].tokens_read < together[1].tokens_read


def test_a_result_survives_its_trace(answer_model):
    (result,) = ViCropLocator(answer_model, _config()).locate([LocateRequest(WIDE, "", MUG)])
    back = from_dict(to_dict(result, heat_cells=24))
    assert back.boxes == result.boxes and back.config == result.config
    assert back.path[0].heat is not None and back.path[0].best_box == result.best_box


def test_large_images_are_looked_at_in_tiles(answer_model):
    config = _config(tile_threshold=64)  # 120 x 90: two rows of two
    locator = ViCropLocator(answer_model, config)
    (result,) = locator.locate([LocateRequest(WIDE, "", MUG)])
    assert result.calls == {"map": 4}
    # Tiles of 60 x 45 are padded to squares of 2 x 2 cells: what lies over the tile is kept.
    rows, columns = result.config["grid"]
    assert rows % 2 == columns % 2 == 0
    looks = [
        Look(WIDE.crop(box), MUG)
        for box in ((0, 0, 60, 45), (60, 0, 120, 45), (0, 45, 60, 90), (60, 45, 120, 90))
    ]
    maps = make_maps(locator.reader, looks, config)
    tops = [m.over(Box(0, 0, 60, 45), (rows // 2, columns // 2)).max() for m in maps]
    assert result.path[0].heat.peak() == pytest.approx(max(tops))
    (whole,) = ViCropLocator(answer_model, _config(high_resolution="off")).locate(
        [LocateRequest(WIDE, "", MUG)]
    )
    assert whole.calls == {"map": 1} and whole.config["grid"] == [2, 2]


def test_as_released_stretches_the_map_over_the_image_and_ours_does_not(answer_model):
    requests = [LocateRequest(WIDE, "", MUG)]
    (ours,) = ViCropLocator(answer_model, _config()).locate(requests)
    assert ours.config["view_xyxy"] == [0, -15, 120, 105]
    (released,) = ViCropLocator(answer_model, _config(view="as_released")).locate(requests)
    assert released.config["view_xyxy"] == [0, 0, 120, 90]


def test_option_lines_take_no_part_in_the_map(answer_model):
    locator = ViCropLocator(answer_model, _config())
    with_options = f"{MUG}\n(A) red\n(B) blue"
    (plain,) = locator.locate([LocateRequest(WIDE, "", MUG)])
    (cut,) = locator.locate([LocateRequest(WIDE, "", with_options)])
    np.testing.assert_array_equal(cut.path[0].heat.to_numpy(), plain.path[0].heat.to_numpy())
    whole = ViCropLocator(answer_model, _config(short_question=False))
    (kept,) = whole.locate([LocateRequest(WIDE, "", with_options)])
    assert not np.array_equal(kept.path[0].heat.to_numpy(), plain.path[0].heat.to_numpy())


def test_the_general_map_is_floored_at_a_share_of_its_mean():
    general = np.array([[0.0, 1, 1, 2]], np.float32)
    factors = RelativeFactors(np.ones((1, 4), np.float32), general, Box(0, 0, 4, 1))
    np.testing.assert_allclose(relative_map(factors, 0.25), [[4, 1, 1, 0.5]])
    assert np.isinf(relative_map(factors)[0, 0])


def test_smoothing_spreads_a_map_without_moving_the_window_out(answer_model):
    looks = [Look(WIDE, MUG)]
    locator = ViCropLocator(answer_model, _config())
    (plain,) = make_maps(locator.reader, looks, _config())
    (smooth,) = make_maps(locator.reader, looks, _config(smoothing=0.8))
    assert smooth.values.std() < plain.values.std()
    assert window_of(smooth, WIDE.size, 40).box.width <= 120


def test_a_question_is_needed(answer_model):
    with pytest.raises(ValueError, match="'mug' comes without one"):
        ViCropLocator(answer_model, _config()).locate([LocateRequest(WIDE, "mug")])


def test_a_layer_beyond_the_model_is_refused_before_anything_is_asked(answer_model):
    with pytest.raises(ValueError, match=r"layer=2 is none of the 2 .* leave it out for layer=1"):
        ViCropLocator(answer_model, _config(layer=2))


def test_a_model_that_shows_no_attention_is_refused_in_one_line():
    class Endpoint:
        cost = None

    with pytest.raises(ValueError, match="Endpoint does not show") as refused:
        ViCropLocator(Endpoint(), ViCropConfig())  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_nothing_is_asked_of_nobody(answer_model):
    assert ViCropLocator(answer_model, _config()).locate([]) == []
