"""The VQA LLM's stages train exactly what models.md says."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from mixed_batches import level_model, vqa_model, vqa_sample

from seal.data.collate import collate
from seal.images.tiles import TilesConfig
from seal.losses.vqa import VQALoss
from seal.models.parts.vision import VisionConfig
from seal.models.vqa import LEVEL_STAGES, STAGES, GranularityConfig, VQAModelConfig

TRAINED = {
    "align_linear": ["image_projector."],
    "align_resampler": ["object_projector."],
    "instruct": ["image_projector.", "object_projector.", "llm."],
}


@pytest.mark.parametrize("stage", TRAINED)
def test_gradients_reach_exactly_what_the_stage_trains(stage):
    torch.manual_seed(0)
    model = vqa_model()
    model.set_trainable(stage)
    batch = collate([vqa_sample(i, torch.Generator().manual_seed(i)) for i in range(10)], pad_id=0)
    VQALoss()(batch, model(batch))["ce"].backward()
    for name, parameter in model.named_parameters():
        trained = name.startswith(tuple(TRAINED[stage]))
        assert parameter.requires_grad == trained, name
        assert (parameter.grad is not None and bool(parameter.grad.any())) == trained, name


@pytest.mark.parametrize("stage", LEVEL_STAGES)
def test_a_stage_that_needs_levels_is_refused_to_a_model_without(stage):
    with pytest.raises(ValueError, match=f"stage={stage} needs a model with"):
        vqa_model().set_trainable(stage)
    assert {*STAGES} == {*TRAINED, *LEVEL_STAGES}


def test_a_policy_that_needs_a_resampler_is_refused_to_a_model_without():
    with pytest.raises(ValueError, match=r"token_policy=consistent .* set it to router"):
        VQAModelConfig(resampler=None, token_policy="consistent")
    assert VQAModelConfig(resampler=None, token_policy="router").visual_sizes.short == 0
    with pytest.raises(ValueError, match="reads no tiles: set it to router, or tiles=null"):
        VQAModelConfig(tiles=TilesConfig())


def test_a_level_that_is_none_is_told_by_its_key_with_those_that_there_are():
    grid = VisionConfig().grid_size
    levels = GranularityConfig(levels=[3, grid**2])
    with pytest.raises(ValueError, match=rf"^granularity.levels=\[3, {grid**2}\]: 3 is no level"):
        VQAModelConfig(granularity=levels)


def test_a_router_keeps_the_levels_that_it_chooses_among():
    model = level_model("granularity")
    model.add_levels(model.config)
    levels = GranularityConfig(levels=[1, 4])
    with pytest.raises(ValueError, match=r"levels=\[1, 4\], but .* among \[1, 2, 4\]: leave"):
        model.add_levels(replace(model.config, granularity=levels))
    assert model.config.granularity.levels == [1, 2, 4]


def test_a_router_of_two_levels_which_its_last_norm_cuts_off_is_not_trained():
    config = level_model("granularity").config
    model = replace(config, granularity=GranularityConfig(levels=[1, 4])).build()
    model.set_trainable("granularity")
    with pytest.raises(ValueError, match=r"router of the two levels \[1, 4\].* three or more"):
        model.set_trainable("router")


def test_choosing_a_stage_forgets_the_one_before():
    model = vqa_model()
    model.set_trainable("instruct")
    model.set_trainable("align_linear")
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trained == {"image_projector.weight", "image_projector.bias"}


def test_an_unknown_stage_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="align_linear, align_resampler, instruct"):
        vqa_model().set_trainable("align")


def test_two_models_of_one_configuration_share_nothing():
    config = VQAModelConfig()
    with torch.device("meta"):
        first, second = config.build(), config.build()
    assert first.llm.config is not second.llm.config
    assert first.vision_tower.vision_model.config is not second.vision_tower.vision_model.config
